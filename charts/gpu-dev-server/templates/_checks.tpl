{{/* What the schema cannot say: each stops the rendering with a sentence and the next step. */}}
{{- define "gpudev.checks" -}}
{{- $api := .Values.apiService -}}{{- $postgres := .Values.postgres -}}
{{- $plain := not (or (include "gpudev.tlsSecret" .) $api.service.allowPlainHttp) -}}
{{- if and $plain (ne $api.service.type "ClusterIP") -}}
{{- fail (printf "apiService.service.type=%s would serve tokens over plain HTTP. Set apiService.tls.existingSecret or apiService.tls.selfSigned=true, use ClusterIP behind an Ingress, or say yes by apiService.service.allowPlainHttp=true." $api.service.type) -}}
{{- end -}}
{{- if and $api.ingress.enabled (not $api.ingress.host) -}}
{{- fail "apiService.ingress is enabled without a host. Set apiService.ingress.host to the name that people dial." -}}
{{- end -}}
{{- if and $api.ingress.enabled $plain (not $api.ingress.tlsSecret) -}}
{{- fail "apiService.ingress would serve tokens over plain HTTP. Set apiService.ingress.tlsSecret, or say yes by apiService.service.allowPlainHttp=true." -}}
{{- end -}}
{{- if and $api.route.enabled (not $api.route.parentRefs) -}}
{{- fail "apiService.route is enabled without a gateway. Set apiService.route.parentRefs to the Gateway that serves it." -}}
{{- end -}}
{{- if and (eq $postgres.mode "external") (not $postgres.external.existingSecret) -}}
{{- fail "postgres.mode=external needs a Secret with owner-dsn, api-dsn and engine-dsn. Name it by postgres.external.existingSecret." -}}
{{- end -}}
{{- if and (eq $postgres.mode "cloudnative-pg") (not $postgres.cloudNativePG.cluster) -}}
{{- fail "postgres.mode=cloudnative-pg needs the name of a Cluster. Set postgres.cloudNativePG.cluster." -}}
{{- end -}}
{{- if and (eq .Values.cloudProvider.name "aws") (not (dig "region" "" (.Values.cloudProvider.aws | default dict))) -}}
{{- fail "cloudProvider.name=aws needs a region. Set cloudProvider.aws.region." -}}
{{- end -}}
{{- if and (eq .Values.cloudProvider.name "gcp") (not (dig "projectId" "" (.Values.cloudProvider.gcp | default dict))) -}}
{{- fail "cloudProvider.name=gcp needs a project. Set cloudProvider.gcp.projectId." -}}
{{- end -}}
{{- $namespaces := list .Values.namespaces.controlplane .Values.namespaces.workloads .Values.namespaces.privileged -}}
{{- if ne (len (uniq $namespaces)) 3 -}}
{{- fail "namespaces.controlplane, namespaces.workloads and namespaces.privileged are to be three. Give each a name of its own." -}}
{{- end -}}
{{- end -}}
