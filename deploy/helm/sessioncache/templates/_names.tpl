{{/* Names and labels. */}}

{{- define "sessioncache.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* Leaves room for the longest suffix of an object's name. */}}
{{- define "sessioncache.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "sessioncache.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "sessioncache.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "sessioncache.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "sessioncache.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* Of the image, for the recommended label: a label takes neither a digest nor more than 63 characters. */}}
{{- define "sessioncache.version" -}}
{{- default .Chart.AppVersion .Values.image.tag | replace "+" "_" | trunc 63 | trimSuffix "-" | trimSuffix "." | trimSuffix "_" -}}
{{- end -}}

{{/* (list $ component): what selects the pods of a component; never changes in the life of a release. */}}
{{- define "sessioncache.selector" -}}
{{- $ := index . 0 -}}
app.kubernetes.io/name: {{ include "sessioncache.name" $ }}
app.kubernetes.io/instance: {{ $.Release.Name | quote }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{/* (list $ component [more labels]): labels of an object. */}}
{{- define "sessioncache.labels" -}}
{{- $ := index . 0 -}}
{{- $own := fromYaml (include "sessioncache.selector" (list $ (index . 1))) -}}
{{- $_ := set $own "app.kubernetes.io/version" (include "sessioncache.version" $) -}}
{{- $_ := set $own "app.kubernetes.io/part-of" "sessioncache" -}}
{{- $_ := set $own "app.kubernetes.io/managed-by" $.Release.Service -}}
{{- $_ := set $own "helm.sh/chart" (printf "%s-%s" $.Chart.Name ($.Chart.Version | replace "+" "_") | trunc 63 | trimSuffix "-") -}}
{{- $more := dict -}}
{{- if gt (len .) 2 -}}{{- $more = default dict (index . 2) -}}{{- end -}}
{{- toYaml (merge $own $more (deepCopy $.Values.commonLabels)) -}}
{{- end -}}

{{/* (list $ component [more labels]): labels of a pod. Without the chart's version, which would restart pods for nothing. */}}
{{- define "sessioncache.podLabels" -}}
{{- $labels := fromYaml (include "sessioncache.labels" .) -}}
{{- toYaml (omit $labels "helm.sh/chart" "app.kubernetes.io/managed-by") -}}
{{- end -}}

{{/* (list $ annotations): `annotations:` with the common ones, or nothing. */}}
{{- define "sessioncache.annotations" -}}
{{- $all := merge (deepCopy (default dict (index . 1))) (deepCopy (index . 0).Values.commonAnnotations) -}}
{{- with $all }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end -}}
{{- end -}}

{{/* (list $ component [annotations [more labels]]): `labels:` and `annotations:` of an object. */}}
{{- define "sessioncache.described" -}}
{{- $annotations := dict -}}
{{- if gt (len .) 2 -}}{{- $annotations = index . 2 -}}{{- end -}}
{{- $labels := dict -}}
{{- if gt (len .) 3 -}}{{- $labels = index . 3 -}}{{- end -}}
labels:
  {{- include "sessioncache.labels" (list (index . 0) (index . 1) $labels) | nindent 2 }}
{{- include "sessioncache.indented" (list 0 (include "sessioncache.annotations" (list (index . 0) $annotations))) }}
{{- end -}}

{{/* An image's name. */}}
{{- define "sessioncache.imageName" -}}
{{- $image := index . 0 -}}
{{- $name := $image.repository -}}
{{- if $image.registry -}}{{- $name = printf "%s/%s" $image.registry $name -}}{{- end -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $name $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $name (default (index . 1) $image.tag) -}}
{{- end -}}
{{- end -}}

{{- define "sessioncache.image" -}}
{{- include "sessioncache.imageName" (list .Values.image .Chart.AppVersion) -}}
{{- end -}}

{{/* (list spaces text): the text on lines of its own, or nothing at all where it is empty. */}}
{{- define "sessioncache.indented" -}}
{{- with index . 1 | trim }}
{{- . | nindent (int (index $ 0)) }}
{{- end -}}
{{- end -}}
