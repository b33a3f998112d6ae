{{/* Where Redis is, and as whom to connect. No credential ever stands here: they come from Secrets. */}}

{{/* standalone, sentinel, cluster or unknown (the URL is in a Secret). */}}
{{- define "sessioncache.redisMode" -}}
{{- if .Values.embedded.enabled -}}standalone
{{- else if .Values.redis.urlKey -}}unknown
{{- else if .Values.redis.url -}}
{{- if contains "+sentinel://" .Values.redis.url -}}sentinel
{{- else if contains "+cluster://" .Values.redis.url -}}cluster
{{- else -}}standalone
{{- end -}}
{{- else -}}
{{- .Values.redis.mode -}}
{{- end -}}
{{- end -}}

{{/* "true" where certificates are looked at. */}}
{{- define "sessioncache.redisTLS" -}}
{{- if .Values.redis.url -}}
{{- if or (hasPrefix "rediss" .Values.redis.url) (hasPrefix "valkeys" .Values.redis.url) -}}true{{- end -}}
{{- else if or .Values.redis.tls.enabled .Values.redis.urlKey -}}true
{{- end -}}
{{- end -}}

{{- define "sessioncache.embeddedName" -}}
{{- printf "%s-valkey" (include "sessioncache.fullname" .) -}}
{{- end -}}

{{/* The URL without credentials; empty where a Secret holds it. */}}
{{- define "sessioncache.redisUrl" -}}
{{- $redis := .Values.redis -}}
{{- $scheme := ternary "rediss" "redis" $redis.tls.enabled -}}
{{- if .Values.embedded.enabled -}}
redis://{{ include "sessioncache.embeddedName" . }}.{{ .Release.Namespace }}.svc.{{ .Values.clusterDomain }}:6379/0
{{- else if $redis.urlKey -}}
{{- else if $redis.url -}}
{{ $redis.url }}
{{- else if eq $redis.mode "sentinel" -}}
{{ $scheme }}+sentinel://{{ join "," $redis.hosts }}/{{ $redis.sentinel.service }}/{{ int64 $redis.database }}
{{- else if eq $redis.mode "cluster" -}}
{{ $scheme }}+cluster://{{ join "," $redis.hosts }}
{{- else -}}
{{ $scheme }}://{{ ternary (printf "[%s]" $redis.host) $redis.host (and (contains ":" $redis.host) (not (hasPrefix "[" $redis.host))) }}:{{ int64 $redis.port }}/{{ int64 $redis.database }}
{{- end -}}
{{- end -}}

{{/* Ports that may be dialled, as JSON: those of the rule, or those of redis and queue. */}}
{{- define "sessioncache.redisPorts" -}}
{{- $ports := list -}}
{{- range .Values.networkPolicy.redis.ports -}}{{- $ports = append $ports (int64 .) -}}{{- end -}}
{{- if not $ports -}}
{{- range $url := compact (list (include "sessioncache.redisUrl" .) .Values.queue.url) -}}
{{- $default := ternary 26379 6379 (contains "+sentinel://" $url) -}}
{{- $place := regexReplaceAll "^[^:]+://([^/]*).*$" $url "${1}" -}}
{{- range $host := splitList "," $place -}}
{{- $found := regexFind ":[0-9]+$" $host -}}
{{- $ports = append $ports (ternary (trimPrefix ":" $found | int64) (int64 $default) (ne $found "")) -}}
{{- end -}}
{{- if contains "+sentinel://" $url -}}{{- $ports = append $ports (int64 6379) -}}{{- end -}}
{{- end -}}
{{- end -}}
{{- $ports | uniq | toJson -}}
{{- end -}}

{{/* A value as an environment variable has it: Helm reads numbers as floats, and would write 1e+06. */}}
{{- define "sessioncache.text" -}}
{{- if kindIs "float64" . -}}
{{- if eq . (floor .) -}}{{- printf "%d" (int64 .) -}}{{- else -}}{{- printf "%v" . -}}{{- end -}}
{{- else -}}
{{- toString . -}}
{{- end -}}
{{- end -}}

{{/* Every variable that may stand in a ConfigMap, as YAML. */}}
{{- define "sessioncache.config" -}}
{{- $config := dict -}}
{{- $redis := .Values.redis -}}
{{- with include "sessioncache.redisUrl" . -}}{{- $_ := set $config "SESSIONCACHE_URL" . -}}{{- end -}}
{{- with $redis.username -}}{{- $_ := set $config "SESSIONCACHE_USERNAME" . -}}{{- end -}}
{{- with $redis.sentinel.username -}}{{- $_ := set $config "SESSIONCACHE_SENTINEL_USERNAME" . -}}{{- end -}}
{{- if and (include "sessioncache.redisTLS" .) (not .Values.embedded.enabled) -}}
{{- if $redis.tls.existingSecret -}}
{{- range $name, $key := dict "CA" $redis.tls.caKey "CERT" $redis.tls.certKey "KEY" $redis.tls.keyKey -}}
{{- with $key -}}{{- $_ := set $config (printf "SESSIONCACHE_TLS_%s_FILE" $name) (printf "/etc/sessioncache/tls/%s" .) -}}{{- end -}}
{{- end -}}
{{- end -}}
{{- if not $redis.tls.checkHostname -}}{{- $_ := set $config "SESSIONCACHE_TLS_CHECK_HOSTNAME" "false" -}}{{- end -}}
{{- end -}}
{{- with .Values.queue.url -}}{{- $_ := set $config "SESSIONCACHE_QUEUE_URL" . -}}{{- end -}}
{{- range $name, $value := .Values.cache.settings -}}
{{- $_ := set $config (printf "SESSIONCACHE_%s" (upper $name)) (include "sessioncache.text" $value) -}}
{{- end -}}
{{- toYaml $config -}}
{{- end -}}

{{/* … and those of the workers alone. */}}
{{- define "sessioncache.workerConfig" -}}
{{- $config := fromYaml (include "sessioncache.config" .) -}}
{{- $_ := set $config "SESSIONCACHE_NAMESPACES" (join "," .Values.namespaces) -}}
{{- $_ := set $config "SESSIONCACHE_WORKER_HOST" .Values.worker.host -}}
{{- $_ := set $config "SESSIONCACHE_WORKER_PORT" (include "sessioncache.text" .Values.worker.port) -}}
{{- $_ := set $config "SESSIONCACHE_WORKER_GRACE_PERIOD_S" (include "sessioncache.text" .Values.worker.gracePeriodSeconds) -}}
{{- range $name, $value := .Values.worker.settings -}}
{{- $_ := set $config (printf "SESSIONCACHE_WORKER_%s" (upper $name)) (include "sessioncache.text" $value) -}}
{{- end -}}
{{- toYaml $config -}}
{{- end -}}

{{/* Variables that come out of Secrets, as a list of `env`; empty where there are none. */}}
{{- define "sessioncache.secretEnv" -}}
{{- $redis := .Values.redis -}}
{{- $wanted := list -}}
{{- if $redis.existingSecret -}}
{{- if $redis.urlKey -}}{{- $wanted = append $wanted (list "SESSIONCACHE_URL" $redis.existingSecret $redis.urlKey) -}}
{{- else if $redis.passwordKey -}}{{- $wanted = append $wanted (list "SESSIONCACHE_PASSWORD" $redis.existingSecret $redis.passwordKey) -}}
{{- end -}}
{{- with $redis.usernameKey -}}{{- $wanted = append $wanted (list "SESSIONCACHE_USERNAME" $redis.existingSecret .) -}}{{- end -}}
{{- end -}}
{{- with $redis.sentinel.existingSecret -}}
{{- $wanted = append $wanted (list "SESSIONCACHE_SENTINEL_PASSWORD" . $redis.sentinel.passwordKey) -}}
{{- end -}}
{{- with .Values.queue.existingSecret -}}{{- $wanted = append $wanted (list "SESSIONCACHE_QUEUE_URL" . $.Values.queue.urlKey) -}}{{- end -}}
{{- with .Values.encryption.existingSecret -}}{{- $wanted = append $wanted (list "SESSIONCACHE_ENCRYPTION_KEYS" . $.Values.encryption.key) -}}{{- end -}}
{{- range $wanted }}
- name: {{ index . 0 }}
  valueFrom:
    secretKeyRef:
      name: {{ index . 1 | quote }}
      key: {{ index . 2 | quote }}
{{- end -}}
{{- end -}}
