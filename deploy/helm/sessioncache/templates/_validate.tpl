{{/* What the schema cannot say well: values that are right alone and wrong together. Each message says what to change. */}}

{{- define "sessioncache.hasCheck" -}}
{{- if and .Values.check.enabled (not .Values.embedded.enabled) -}}true{{- end -}}
{{- end -}}

{{- define "sessioncache.validate" -}}
{{- $problems := list -}}
{{- range $part := list "redis" "redisURL" "tls" "queue" "scaling" "monitoring" "disruption" "network" "jobs" "secrets" -}}
{{- range splitList "\n" (include (printf "sessioncache.problems.%s" $part) $) -}}
{{- with trim . -}}{{- $problems = append $problems . -}}{{- end -}}
{{- end -}}
{{- end -}}
{{- if $problems -}}
{{- fail (printf "these values cannot work:\n- %s" (join "\n- " $problems)) -}}
{{- end -}}
{{- end -}}

{{- define "sessioncache.problems.redis" -}}
{{- if not .Values.namespaces }}
namespaces is empty: name at least one namespace of sessioncache that the workers look after
{{- end }}
{{- $redis := .Values.redis -}}
{{- $given := list -}}
{{- if $redis.url -}}{{- $given = append $given "redis.url" -}}{{- end -}}
{{- if $redis.urlKey -}}{{- $given = append $given "redis.urlKey" -}}{{- end -}}
{{- if $redis.host -}}{{- $given = append $given "redis.host" -}}{{- end -}}
{{- if $redis.hosts -}}{{- $given = append $given "redis.hosts" -}}{{- end -}}
{{- if .Values.embedded.enabled -}}{{- $given = append $given "embedded.enabled" -}}{{- end -}}
{{- if not $given }}
no Redis is given: set redis.url or redis.host (or redis.mode and redis.hosts for Sentinel and Cluster), or redis.existingSecret with redis.urlKey; embedded.enabled=true starts a Valkey to try it out
{{- else if gt (len $given) 1 }}
{{ join " and " $given }} both say where Redis is: keep one of them
{{- end }}
{{- if not (or $redis.url $redis.urlKey .Values.embedded.enabled) }}
{{- if and $redis.host (ne $redis.mode "standalone") }}
redis.mode is {{ $redis.mode }}, which has several nodes: give redis.hosts instead of redis.host
{{- end }}
{{- if regexMatch "^[^:]+:[0-9]*$" $redis.host }}
redis.host is {{ $redis.host }}, a host with a port: the port stands in redis.port
{{- end }}
{{- if and $redis.hosts (eq $redis.mode "standalone") }}
redis.hosts is for Sentinel and Cluster: set redis.mode to one of them, or give redis.host
{{- end }}
{{- if and (eq $redis.mode "sentinel") (not $redis.sentinel.service) }}
redis.sentinel.service is missing: the name that the Sentinels know the primary by, such as mymaster
{{- end }}
{{- if and (eq $redis.mode "cluster") $redis.database }}
redis.database is {{ int64 $redis.database }}: a cluster has only database 0
{{- end }}
{{- end }}
{{- if and (has (include "sessioncache.redisMode" .) (list "standalone" "cluster")) (or $redis.sentinel.service $redis.sentinel.existingSecret $redis.sentinel.username) }}
redis.sentinel is set, but Redis is not reached through Sentinels: set redis.mode to sentinel, or leave redis.sentinel out
{{- end }}
{{- if and $redis.urlKey (not $redis.existingSecret) }}
redis.urlKey names a key, but redis.existingSecret no Secret: set it
{{- end }}
{{- if and $redis.usernameKey (not $redis.existingSecret) }}
redis.usernameKey names a key, but redis.existingSecret no Secret: set it
{{- end }}
{{- if and $redis.username $redis.usernameKey }}
redis.username and redis.usernameKey both say who connects: keep one of them
{{- end }}
{{- end -}}

{{- define "sessioncache.problems.redisURL" -}}
{{- range $name, $url := dict "redis.url" .Values.redis.url "queue.url" .Values.queue.url -}}
{{- if $url }}
{{- if contains "@" $url }}
{{ $name }} holds a user or a password, which would stand in the manifest: put them into a Secret and name it in {{ ternary "redis.existingSecret" "queue.existingSecret" (eq $name "redis.url") }}
{{- else if not (regexMatch "^(redis|rediss|valkey|valkeys)([+](sentinel|cluster))?://[^/?#]+(/[^?#]*)?$" $url) }}
{{ $name }} is no URL of a Redis: use redis://host:6379/0, rediss://host (TLS), redis+sentinel://host1,host2/service or redis+cluster://host1,host2
{{- else if and (contains "+sentinel://" $url) (not (regexMatch "://[^/]+/[^/]+" $url)) }}
{{ $name }} lacks the name that the Sentinels know the primary by: write redis+sentinel://host1,host2/service
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "sessioncache.problems.tls" -}}
{{- $tls := .Values.redis.tls -}}
{{- if and $tls.enabled .Values.redis.url (not (include "sessioncache.redisTLS" .)) }}
redis.tls.enabled is true, but redis.url does not begin with rediss: write rediss://, rediss+sentinel:// or rediss+cluster://
{{- end }}
{{- if and $tls.existingSecret (or .Values.embedded.enabled (not (include "sessioncache.redisTLS" .))) }}
redis.tls.existingSecret is set, but TLS is off: set redis.tls.enabled=true, or write rediss in redis.url
{{- end }}
{{- if and $tls.enabled .Values.embedded.enabled }}
redis.tls.enabled is true, but the embedded Valkey has no TLS: leave one of them out
{{- end }}
{{- if ne (empty $tls.certKey) (empty $tls.keyKey) }}
redis.tls.certKey and redis.tls.keyKey belong together: set both or none
{{- end }}
{{- if and (or $tls.certKey $tls.keyKey) (not $tls.existingSecret) }}
redis.tls.certKey and redis.tls.keyKey name keys, but redis.tls.existingSecret no Secret: set it
{{- end }}
{{- end -}}

{{- define "sessioncache.problems.queue" -}}
{{- if and .Values.queue.url .Values.queue.existingSecret }}
queue.url and queue.existingSecret both say where the queue is: keep one of them
{{- end }}
{{- end -}}

{{- define "sessioncache.problems.scaling" -}}
{{- if and .Values.hpa.enabled .Values.keda.enabled }}
hpa.enabled and keda.enabled are both true, and two autoscalers would fight over one Deployment: set one of them to false
{{- end }}
{{- range $name := list "hpa" "keda" }}
{{- $values := get $.Values $name }}
{{- if and $values.enabled (gt (int64 $values.minReplicas) (int64 $values.maxReplicas)) }}
{{ $name }}.minReplicas is {{ int64 $values.minReplicas }} and {{ $name }}.maxReplicas {{ int64 $values.maxReplicas }}: the first may not be larger
{{- end }}
{{- end }}
{{- if .Values.hpa.enabled }}
{{- if not (or .Values.hpa.targetCPUUtilizationPercentage .Values.hpa.targetMemoryUtilizationPercentage .Values.hpa.metrics) }}
hpa has nothing to scale by: set hpa.targetCPUUtilizationPercentage, hpa.targetMemoryUtilizationPercentage or hpa.metrics
{{- end }}
{{- $requests := default dict .Values.worker.resources.requests }}
{{- if and .Values.hpa.targetCPUUtilizationPercentage (not $requests.cpu) }}
hpa.targetCPUUtilizationPercentage is a share of worker.resources.requests.cpu, which is not set: set it
{{- end }}
{{- if and .Values.hpa.targetMemoryUtilizationPercentage (not $requests.memory) }}
hpa.targetMemoryUtilizationPercentage is a share of worker.resources.requests.memory, which is not set: set it
{{- end }}
{{- end }}
{{- if .Values.keda.enabled }}
{{- if not .Values.keda.prometheus.serverAddress }}
keda.prometheus.serverAddress is missing: the address of Prometheus, such as http://prometheus-operated.monitoring:9090
{{- end }}
{{- if gt (int64 .Values.keda.fallback.replicas) (int64 .Values.keda.maxReplicas) }}
keda.fallback.replicas is {{ int64 .Values.keda.fallback.replicas }}, more than keda.maxReplicas ({{ int64 .Values.keda.maxReplicas }}): lower it
{{- end }}
{{- end }}
{{- end -}}

{{- define "sessioncache.problems.monitoring" -}}
{{- if and .Values.podMonitor.enabled .Values.serviceMonitor.enabled }}
podMonitor.enabled and serviceMonitor.enabled are both true, and every worker would be counted twice: set one of them to false
{{- end }}
{{- if and .Values.serviceMonitor.enabled (not .Values.service.enabled) }}
serviceMonitor.enabled needs the Service: set service.enabled=true, or use podMonitor
{{- end }}
{{- end -}}

{{- define "sessioncache.problems.disruption" -}}
{{- if .Values.pdb.enabled }}
{{- $min := .Values.pdb.minAvailable }}
{{- $fewest := ternary .Values.hpa.minReplicas (ternary .Values.keda.minReplicas .Values.worker.replicas .Values.keda.enabled) .Values.hpa.enabled }}
{{- if and (not (kindIs "invalid" $min)) (not (kindIs "invalid" .Values.pdb.maxUnavailable)) }}
pdb.minAvailable and pdb.maxUnavailable exclude each other: set one of them to null
{{- else if and (kindIs "invalid" $min) (kindIs "invalid" .Values.pdb.maxUnavailable) }}
pdb needs pdb.maxUnavailable or pdb.minAvailable: set one of them
{{- else if and (kindIs "float64" $min) (ge (int64 $min) (int64 $fewest)) }}
pdb.minAvailable is {{ int64 $min }} of {{ int64 $fewest }} workers, so no node could be drained: lower it, or set pdb.maxUnavailable
{{- end }}
{{- end }}
{{- if and (has (toString .Values.worker.strategy.maxUnavailable) (list "0" "0%")) (has (toString .Values.worker.strategy.maxSurge) (list "0" "0%")) }}
worker.strategy.maxUnavailable and worker.strategy.maxSurge are both 0, so no pod could ever be replaced: raise one of them
{{- end }}
{{- end -}}

{{- define "sessioncache.problems.network" -}}
{{- if and .Values.networkPolicy.enabled (not .Values.networkPolicy.redis.ports) }}
{{- if .Values.redis.urlKey }}
networkPolicy.redis.ports is missing: the URL of Redis is in a Secret, so its ports have to be told
{{- end }}
{{- if .Values.queue.existingSecret }}
networkPolicy.redis.ports is missing: the URL of the queue is in a Secret, so its ports have to be told
{{- end }}
{{- end }}
{{- end -}}

{{- define "sessioncache.problems.jobs" -}}
{{- with .Values.jobs.import }}
{{- if .enabled }}
{{- if not .format }}
jobs.import.format is missing: whose sessions they are, one of archive, bamboo, brainwires, cognee, orcs and post-cortex
{{- end }}
{{- if and .source .sourceSecret }}
jobs.import.source and jobs.import.sourceSecret both say what to import: keep one of them
{{- end }}
{{- if contains "@" .source }}
jobs.import.source holds a user or a password, which would stand in the manifest: put the URL into a Secret and name it in jobs.import.sourceSecret
{{- end }}
{{- if and (eq .format "cognee") (not (or .source .sourceSecret)) }}
jobs.import.source is missing: the URL of the Redis that cognee writes to, or jobs.import.sourceSecret
{{- end }}
{{- if and (eq .format "cognee") .volume }}
jobs.import.volume is for files, and cognee writes to a Redis: leave it out
{{- end }}
{{- if and .format (ne .format "cognee") (not .volume) (not (and (eq .format "archive") (contains "://" .source))) }}
jobs.import.volume is missing: the volume with the files of {{ .format }}, such as persistentVolumeClaim: {claimName: old-sessions}
{{- end }}
{{- if and .namespace (not (has .namespace $.Values.namespaces)) }}
jobs.import.namespace is {{ .namespace }}, which is not in namespaces: no worker would look after what is imported
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "sessioncache.problems.secrets" -}}
{{- range .Values.extraEnv }}
{{- if and (hasKey . "value") (regexMatch "^SESSIONCACHE_.*(PASSWORD|ENCRYPTION_KEYS|URL)$" .name) }}
extraEnv sets {{ .name }} to a value that would stand in the manifest: use the chart's own values for it, or valueFrom with a Secret
{{- end }}
{{- end }}
{{- end -}}
