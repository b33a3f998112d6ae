{{/* (list $ kind values): a PodMonitor or a ServiceMonitor; they differ in one word. */}}
{{- define "sessioncache.monitor" -}}
{{- $ := index . 0 -}}
{{- $kind := index . 1 -}}
{{- $values := index . 2 -}}
apiVersion: monitoring.coreos.com/v1
kind: {{ $kind }}
metadata:
  name: {{ include "sessioncache.fullname" $ }}
  namespace: {{ default $.Release.Namespace $values.namespace }}
  {{- include "sessioncache.described" (list $ "worker" $values.annotations $values.labels) | nindent 2 }}
spec:
  selector:
    matchLabels:
      {{- include "sessioncache.selector" (list $ "worker") | nindent 6 }}
  namespaceSelector:
    matchNames:
      - {{ $.Release.Namespace }}
  {{ ternary "podMetricsEndpoints" "endpoints" (eq $kind "PodMonitor") }}:
    - port: metrics
      path: /metrics
      interval: {{ $values.interval }}
      scrapeTimeout: {{ $values.scrapeTimeout }}
      # The label `namespace` of our metrics is a namespace of sessioncache. Without this it would be exported_namespace,
      # and the rules and dashboards would find the namespace of Kubernetes in its place.
      honorLabels: true
      relabelings:
        # Rules and dashboards tell fleets apart by their job.
        - targetLabel: job
          replacement: {{ $.Release.Namespace }}/{{ $.Release.Name }}
        - sourceLabels:
            - __meta_kubernetes_namespace
          targetLabel: kubernetes_namespace
        {{- with $values.relabelings }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- with $values.metricRelabelings }}
      metricRelabelings:
        {{- toYaml . | nindent 8 }}
      {{- end }}
{{- end -}}

{{/* Every worker tells the lag of every namespace, so the largest is taken, not their sum. */}}
{{- define "sessioncache.lagQuery" -}}
{{- $names := list -}}
{{- range .Values.namespaces -}}{{- $names = append $names (. | replace "." "[.]") -}}{{- end -}}
{{- $own := ternary (printf ",job=\"%s/%s\"" .Release.Namespace .Release.Name) "" (or .Values.podMonitor.enabled .Values.serviceMonitor.enabled) -}}
max(sessioncache_namespace_overdue_seconds{namespace=~"{{ join "|" $names }}"{{ $own }}})
{{- end -}}
