{{- define "inferfleet.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 55 | trimSuffix "-" -}}
{{- end -}}

{{/* 55 characters: the longest suffix that a name gets has 8, and a Service's name may have 63. */}}
{{- define "inferfleet.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 55 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 55 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 55 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "inferfleet.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride -}}
{{- end -}}

{{/* Objects without a namespace carry it in their name, so that two releases of one name do not meet. */}}
{{- define "inferfleet.clusterName" -}}
{{- printf "%s-%s" (include "inferfleet.namespace" .) (include "inferfleet.fullname" .) -}}
{{- end -}}

{{- define "inferfleet.selectorLabels" -}}
app.kubernetes.io/name: {{ include "inferfleet.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{/* Ours go before those of commonLabels. */}}
{{- define "inferfleet.labels" -}}
{{- $ours := dict
  "helm.sh/chart" (printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-")
  "app.kubernetes.io/version" .Chart.AppVersion
  "app.kubernetes.io/managed-by" .Release.Service
-}}
{{- merge $ours (include "inferfleet.selectorLabels" . | fromYaml) .Values.commonLabels | toYaml -}}
{{- end -}}

{{- define "inferfleet.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "inferfleet.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* A reference from registry, repository, tag and digest: (dict "image" IMAGE "tag" DEFAULT "root" $). */}}
{{- define "inferfleet.image" -}}
{{- $registry := default .image.registry .root.Values.global.image.registry -}}
{{- $tag := default .tag .image.tag -}}
{{- with $registry }}{{ . }}/{{ end -}}
{{ .image.repository }}:{{ $tag }}
{{- with .image.digest }}@{{ . }}{{ end -}}
{{- end -}}

{{- define "inferfleet.operatorImage" -}}
{{- include "inferfleet.image" (dict "image" .Values.image "tag" .Chart.AppVersion "root" .) -}}
{{- end -}}

{{- define "inferfleet.pullSecrets" -}}
{{- toYaml (concat .Values.global.imagePullSecrets .Values.imagePullSecrets | uniq) -}}
{{- end -}}
