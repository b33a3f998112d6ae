{{/* What every pod of this chart has in common. */}}

{{/* Fields of a pod's spec: (list $ serviceAccountName). */}}
{{- define "sessioncache.podSpec" -}}
{{- $ := index . 0 -}}
serviceAccountName: {{ index . 1 }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with $.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  {{- toYaml $.Values.podSecurityContext | nindent 2 }}
{{- end -}}

{{/* Fields of a container: image, rights and mounts. */}}
{{- define "sessioncache.container" -}}
image: {{ include "sessioncache.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  {{- toYaml .Values.securityContext | nindent 2 }}
{{- end -}}

{{/* (list $ more): the container's volumeMounts. */}}
{{- define "sessioncache.mounts" -}}
{{- $ := index . 0 -}}
volumeMounts:
  - name: tmp
    mountPath: /tmp
{{- if $.Values.redis.tls.existingSecret }}
  - name: tls
    mountPath: /etc/sessioncache/tls
    readOnly: true
{{- end }}
{{- with concat (index . 1) $.Values.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* (list $ more): the pod's volumes. */}}
{{- define "sessioncache.volumes" -}}
{{- $ := index . 0 -}}
volumes:
  - name: tmp
    emptyDir:
      sizeLimit: 64Mi
{{- if $.Values.redis.tls.existingSecret }}
  - name: tls
    secret:
      secretName: {{ $.Values.redis.tls.existingSecret | quote }}
      defaultMode: 0440
{{- end }}
{{- with concat (index . 1) $.Values.extraVolumes }}
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* (list $ config more): `env`, with the given variables written out, those from Secrets, `more`, and the user's own. */}}
{{- define "sessioncache.env" -}}
{{- $ := index . 0 -}}
{{- $lines := list -}}
{{- range $name, $value := index . 1 -}}{{- $lines = append $lines (dict "name" $name "value" $value) -}}{{- end -}}
{{- $lines = concat $lines (default list (fromYamlArray (include "sessioncache.secretEnv" $))) (index . 2) $.Values.extraEnv -}}
{{- with $lines }}
env:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* (list $ configMap): `envFrom`; configMap may be empty. */}}
{{- define "sessioncache.envFrom" -}}
{{- $ := index . 0 -}}
{{- if or (index . 1) $.Values.extraEnvFrom }}
envFrom:
{{- with index . 1 }}
  - configMapRef:
      name: {{ . }}
{{- end }}
{{- with $.Values.extraEnvFrom }}
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- end -}}

{{/* (list $ nodeSelector tolerations): where a pod may run. */}}
{{- define "sessioncache.placement" -}}
{{- $ := index . 0 -}}
{{- with merge (deepCopy (index . 1)) (deepCopy $.Values.nodeSelector) }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with concat (index . 2) $.Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* A pod that runs commands to their end: (dict root component serviceAccount runs resources config mounts volumes). */}}
{{- define "sessioncache.oncePod" -}}
{{- $ := .root -}}
metadata:
  labels:
    {{- include "sessioncache.podLabels" (list $ .component) | nindent 4 }}
  {{- include "sessioncache.indented" (list 2 (include "sessioncache.annotations" (list $ dict))) }}
spec:
  {{- include "sessioncache.onceSpec" . | nindent 2 }}
{{- end -}}

{{/* Its spec. `runs` is a list of (dict name args env), one container each. */}}
{{- define "sessioncache.onceSpec" -}}
{{- $ := .root -}}
{{- $pod := . -}}
{{- include "sessioncache.podSpec" (list $ .serviceAccount) }}
restartPolicy: Never
containers:
{{- range .runs }}
  - name: {{ .name }}
    {{- include "sessioncache.container" $ | nindent 4 }}
    args:
      {{- toYaml .args | nindent 6 }}
    {{- include "sessioncache.indented" (list 4 (include "sessioncache.env" (list $ $pod.config (default list .env)))) }}
    {{- include "sessioncache.indented" (list 4 (include "sessioncache.envFrom" (list $ ""))) }}
    resources:
      {{- toYaml $pod.resources | nindent 6 }}
    {{- include "sessioncache.mounts" (list $ (default list $pod.mounts)) | nindent 4 }}
{{- end }}
{{ include "sessioncache.volumes" (list $ (default list .volumes)) }}
{{- include "sessioncache.indented" (list 0 (include "sessioncache.placement" (list $ dict list))) }}
{{- end -}}

{{/* Seconds from the decision to end a worker pod to SIGKILL: preStop, and then what the worker knows as its grace period. */}}
{{- define "sessioncache.terminationGracePeriod" -}}
{{- add (int64 .Values.worker.preStopSeconds) (int64 .Values.worker.gracePeriodSeconds) -}}
{{- end -}}

{{/* Every reference to a Secret: another Secret or key rolls the pods. What is in the Secrets, Helm does not read. */}}
{{- define "sessioncache.secretRefs" -}}
{{ include "sessioncache.secretEnv" . }}
{{ toYaml (dict "tls" .Values.redis.tls "extraEnv" .Values.extraEnv "extraEnvFrom" .Values.extraEnvFrom) }}
{{- end -}}
