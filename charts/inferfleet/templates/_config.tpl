{{/* The operator's configuration: a value is never text in a template, so nothing in it can change its shape. */}}
{{- define "inferfleet.config" -}}
{{- $cache := dict "size" .Values.cache.size -}}
{{- with .Values.cache.sharedStorageClass }}{{ $_ := set $cache "sharedStorageClass" . }}{{ end -}}
{{- $triton := .Values.engines.triton -}}
{{- $images := dict
  "operator" (include "inferfleet.operatorImage" .)
  "triton" (include "inferfleet.image" (dict "image" $triton.image "root" .))
  "pullPolicy" .Values.image.pullPolicy
  "pullSecrets" (include "inferfleet.pullSecrets" . | fromYamlArray)
-}}
{{- $config := dict
  "namespace" (include "inferfleet.namespace" .)
  "lease" (include "inferfleet.fullname" .)
  "operatorLabels" (include "inferfleet.selectorLabels" . | fromYaml)
  "watchNamespaces" .Values.watchNamespaces
  "foreignPods" .Values.rbac.foreignPods
  "classes" .Values.classes
  "images" $images
  "triton" (omit $triton "image")
  "runAsUser" .Values.runAsUser
  "fetch" .Values.fetch
  "cache" $cache
  "network" (dict "apiServerCidrs" .Values.apiServer.cidrs "metricsFrom" .Values.metrics.from)
-}}
{{- toYaml $config -}}
{{- end -}}
