{{/* The spec of a Job that migrates. It alone sees how the database's owner connects. */}}
{{- define "gpudev.migrateJob" -}}
{{- $files := list "owner-dsn" "api-dsn" "engine-dsn" -}}
{{- $args := list "migrate" (printf "--wait=%d" (.Values.migration.waitSeconds | int)) -}}
{{- with .Values.migration.restored -}}{{- $args = append $args (printf "--restored=%s" .) -}}{{- end -}}
backoffLimit: 4
activeDeadlineSeconds: {{ add (.Values.migration.waitSeconds | int) 900 }}
template:
  metadata:
    labels:
      {{- include "gpudev.podLabels" (list . "migrate") | nindent 6 }}
    {{- with .Values.migration.podAnnotations }}
    annotations:
      {{- toYaml . | nindent 6 }}
    {{- end }}
  spec:
    {{- include "gpudev.servicePod" (dict "root" . "component" "migrate" "values" .Values.migration "args" $args "files" $files "config" true "restart" "OnFailure") | nindent 4 }}
{{- end -}}
