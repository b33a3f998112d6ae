{{/* Egress that every pod of the release may use: names, and Redis. */}}
{{- define "sessioncache.egress" -}}
- ports:
    - port: {{ .Values.networkPolicy.dns.port }}
      protocol: UDP
    - port: {{ .Values.networkPolicy.dns.port }}
      protocol: TCP
  {{- with .Values.networkPolicy.dns.to }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
- ports:
    {{- range fromJsonArray (include "sessioncache.redisPorts" .) }}
    - port: {{ int64 . }}
      protocol: TCP
    {{- end }}
  {{- if .Values.embedded.enabled }}
  to:
    - podSelector:
        matchLabels:
          {{- include "sessioncache.selector" (list . "valkey") | nindent 10 }}
  {{- else }}
  {{- with .Values.networkPolicy.redis.to }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- end }}
{{- end -}}
