{{/* Which Secrets there are to make: the release's own, and its authority's. */}}
{{- define "gpudev.firstSecrets" -}}
{{- if not .Values.secrets.existingSecret }}{{ include "gpudev.secretName" . }} {{ end -}}
{{- if include "gpudev.selfSigned" . }}{{ include "gpudev.tlsSecret" . }}{{ end -}}
{{- end -}}

{{/* Makes those that are not there, and never changes one that is. */}}
{{- define "gpudev.firstSecretsPod" -}}
{{- $auth := .Values.postgres.auth -}}
{{- $args := list "first-secrets" (printf "--namespace=%s" .Values.namespaces.controlplane) -}}
{{- if include "gpudev.selfSigned" . -}}{{- $args = append $args (printf "--authority=%s" (include "gpudev.tlsSecret" .)) -}}{{- end -}}
{{- $given := dict -}}
{{- if not .Values.secrets.existingSecret -}}
{{- $args = append $args (printf "--secret=%s" (include "gpudev.secretName" .)) -}}
{{- if ne .Values.postgres.mode "external" -}}
{{- $args = concat $args (list (printf "--database=%s:5432/%s" (include "gpudev.databaseHost" .) $auth.database) (printf "--owner=%s" $auth.username)) -}}
{{- if $auth.existingSecret -}}
{{- $given = dict "name" $auth.existingSecret "key" $auth.existingSecretKey -}}
{{- else if eq .Values.postgres.mode "cloudnative-pg" -}}
{{- $given = dict "name" (printf "%s-superuser" .Values.postgres.cloudNativePG.cluster) "key" "password" -}}
{{- else if $auth.password -}}
{{- $given = dict "name" (include "gpudev.name" (list . "given")) "key" "password" -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if $given -}}{{- $args = append $args "--given=/var/run/gpudev/given" -}}{{- end -}}
{{- include "gpudev.servicePod" (dict "root" . "component" "first-secrets" "values" .Values.firstSecrets "args" $args "kube" true "restart" "OnFailure" "given" $given) -}}
{{- end -}}

{{/* (list $ "-10"): the annotations of a hook before everything else, gone with all its rights when it has succeeded. */}}
{{- define "gpudev.before" -}}
{{- if (index . 0).Values.hooks }}
annotations:
  helm.sh/hook: pre-install,pre-upgrade
  helm.sh/hook-weight: {{ index . 1 | quote }}
  helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end }}
{{- end -}}
