{{- define "gpudev.tomlKey" -}}
{{- if regexMatch "^[A-Za-z0-9_-]+$" . }}{{ . }}{{ else }}{{ toJson . }}{{ end -}}
{{- end -}}

{{/* Any value as TOML on one line. JSON's strings, numbers and lists are TOML's too; tables differ, and null has no place there. */}}
{{- define "gpudev.toml" -}}
{{- if kindIs "map" . -}}
{{- $parts := list -}}
{{- range $key, $value := . -}}
{{- if not (kindIs "invalid" $value) -}}
{{- $parts = append $parts (printf "%s = %s" (include "gpudev.tomlKey" $key) (include "gpudev.toml" $value)) -}}
{{- end -}}
{{- end -}}
{{ "{" }}{{ join ", " $parts }}{{ "}" }}
{{- else if kindIs "slice" . -}}
{{- $parts := list -}}
{{- range . -}}{{- $parts = append $parts (include "gpudev.toml" .) -}}{{- end -}}
[{{ join ", " $parts }}]
{{- else -}}
{{ toJson . }}
{{- end -}}
{{- end -}}

{{/* Lines of one table: `key = value`. */}}
{{- define "gpudev.table" -}}
{{- range $key, $value := . }}
{{- if not (kindIs "invalid" $value) }}
{{ include "gpudev.tomlKey" $key }} = {{ include "gpudev.toml" $value }}
{{- end }}
{{- end }}
{{- end -}}

{{/* [kind.NAME] with its plain keys, then [kind.NAME.PROVIDER] for each sub-table. */}}
{{- define "gpudev.tables" -}}
{{- $kind := .kind -}}
{{- range $name, $table := .tables }}
{{- if $table }}
{{- $plain := dict -}}
{{- range $key, $value := $table }}{{ if not (kindIs "map" $value) }}{{ $_ := set $plain $key $value }}{{ end }}{{ end }}

[{{ $kind }}.{{ include "gpudev.tomlKey" $name }}]
{{- include "gpudev.table" $plain }}
{{- range $key, $value := $table }}
{{- if kindIs "map" $value }}

[{{ $kind }}.{{ include "gpudev.tomlKey" $name }}.{{ include "gpudev.tomlKey" $key }}]
{{- include "gpudev.table" $value }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{/* What this cluster's backend is told: what the chart knows, then the cloud's own words, then what the operator says. */}}
{{- define "gpudev.backendSettings" -}}
{{- $gateway := dict -}}
{{- range $line := splitList "\n" (include "gpudev.selector" (list . "gateway")) -}}
{{- $pair := splitn ": " 2 $line -}}{{- $_ := set $gateway $pair._0 $pair._1 -}}
{{- end -}}
{{- $settings := dict
  "namespace" .Values.namespaces.workloads
  "image" (include "gpudev.image" (list . .Values.images.devServer))
  "tools_image" (include "gpudev.image" (list . .Values.images.tools))
  "pull_secrets" (.Values.imagePullSecrets | default list)
  "profiles" (.Values.devServer.profiles | default list)
  "types" (.Values.gpuTypes | default dict)
  "storage_class" (include "gpudev.storageClass" (list . ""))
  "snapshot_class" .Values.storage.snapshotClass
  "disk_reach" .Values.storage.reach
  "network_policies" .Values.networkPolicies.enabled
  "gateway_namespace" .Values.namespaces.controlplane
  "gateway_labels" $gateway
  "closed_networks" (.Values.networkPolicies.closedNetworks | default list)
-}}
{{- mergeOverwrite $settings (include "gpudev.cloudSettings" . | fromYaml) (.Values.backend.settings | default dict | deepCopy) | toYaml -}}
{{- end -}}

{{/* The names that an operator knows from their cloud, as its plugin calls them. */}}
{{- define "gpudev.cloudSettings" -}}
{{- $aws := .Values.cloudProvider.aws | default dict -}}{{- $gcp := .Values.cloudProvider.gcp | default dict -}}
{{- $names := dict -}}
{{- if eq .Values.cloudProvider.name "aws" -}}
{{- $names = dict "region" $aws.region "cluster" $aws.eksClusterName "bucket" $aws.bucket "shared_file_system" $aws.fileSystem -}}
{{- else if eq .Values.cloudProvider.name "gcp" -}}
{{- $names = dict "project" $gcp.projectId "region" $gcp.region "cluster" $gcp.gkeClusterName "bucket" $gcp.bucket -}}
{{- if $gcp.gkeClusterName -}}{{- $_ := set $names "cluster_location" ($gcp.location | default $gcp.region) -}}{{- end -}}
{{- end -}}
{{- range $key, $value := $names }}{{ if $value }}
{{ $key }}: {{ toJson $value }}
{{- end }}{{ end }}
{{- end -}}

{{- define "gpudev.backends" -}}
{{- $backends := dict -}}
{{- if .Values.backend.enabled -}}
{{- $provider := .Values.cloudProvider.name | default "kube" -}}
{{- $own := dict "compute" $provider "storage" $provider $provider (include "gpudev.backendSettings" . | fromYaml) -}}
{{- $_ := set $backends .Values.backend.name $own -}}
{{- end -}}
{{- mergeOverwrite $backends (.Values.config.backends | default dict | deepCopy) | toYaml -}}
{{- end -}}

{{/* What people's ssh dials. A Service that only the cluster reaches is dialled by a port-forward, beside that of the API: 127.0.0.1 is told
as the host by which they reach the API. */}}
{{- define "gpudev.gatewayAddress" -}}
{{- $inside := ternary "127.0.0.1:7022" "" (eq .Values.sshGateway.service.type "ClusterIP") -}}
{{- .Values.sshGateway.address | default $inside | default (printf "%s.%s.svc:%d" (include "gpudev.name" (list . "gateway")) .Values.namespaces.controlplane (.Values.sshGateway.service.port | int)) -}}
{{- end -}}

{{- define "gpudev.names" -}}
{{- $names := list (printf "%s.%s.svc" (include "gpudev.name" (list . "api")) .Values.namespaces.controlplane) -}}
{{- if .Values.apiService.ingress.enabled -}}{{- $names = append $names .Values.apiService.ingress.host -}}{{- end -}}
{{- if .Values.apiService.route.enabled -}}{{- $names = concat $names (.Values.apiService.route.hostnames | default list) -}}{{- end -}}
{{- concat $names (.Values.config.names | default list) | uniq | toJson -}}
{{- end -}}

{{/* The whole config.toml. */}}
{{- define "gpudev.config" -}}
name = {{ .Values.config.name | default .Release.Name | toJson }}
names = {{ include "gpudev.names" . }}
plugins = {{ .Values.config.plugins | default list | toJson }}
gateway = {{ include "gpudev.gatewayAddress" . | toJson }}
processors = {{ .Values.reservationProcessor.workers | int }}

[limits]
{{- include "gpudev.table" .Values.config.limits }}
{{- include "gpudev.tables" (dict "kind" "logins" "tables" .Values.config.logins) }}
{{- include "gpudev.tables" (dict "kind" "backends" "tables" (include "gpudev.backends" . | fromYaml)) }}
{{- end -}}
