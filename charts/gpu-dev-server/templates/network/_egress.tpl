{{/* The ways out, by name; each component's policy lists those it needs. */}}
{{- define "gpudev.egress" -}}
{{- $root := index . 0 -}}
{{- $metadata := list "169.254.0.0/16" -}}
{{- $closed := list -}}
{{- range $root.Values.networkPolicies.closedNetworks }}{{ if not (contains ":" .) }}{{ $closed = append $closed . }}{{ end }}{{ end -}}
{{- range index . 1 }}
{{- if eq . "dns" }}
- ports:
    - {protocol: UDP, port: 53}
    - {protocol: TCP, port: 53}
{{- else if eq . "database" }}
- ports:
    - {protocol: TCP, port: {{ include "gpudev.databasePort" $root }}}
  {{- if eq $root.Values.postgres.mode "chart" }}
  to:
    - podSelector:
        matchLabels:
          {{- include "gpudev.selector" (list $root "postgres") | nindent 10 }}
  {{- end }}
{{- else if eq . "apis" }}
# The cluster's own API, wherever its address is, and those of clouds; never the credentials of the machine.
- ports:
    - {protocol: TCP, port: 443}
    - {protocol: TCP, port: 6443}
  to:
    - ipBlock: {cidr: 0.0.0.0/0, except: {{ toJson $metadata }}}
    - ipBlock: {cidr: "::/0", except: ["fd00:ec2::254/128", "fd20:ce::254/128", "fe80::/10"]}
{{- else if eq . "internet" }}
- ports:
    - {protocol: TCP, port: 443}
  to:
    - ipBlock: {cidr: 0.0.0.0/0, except: {{ concat $metadata $closed | toJson }}}
{{- else if eq . "boxes" }}
- ports:
    - {protocol: TCP, port: 2222}
  to:
    - namespaceSelector:
        matchLabels:
          kubernetes.io/metadata.name: {{ $root.Values.namespaces.workloads }}
{{- else if eq . "services" }}
- ports:
    - {protocol: TCP, port: 7070}
    - {protocol: TCP, port: 7022}
  to:
    {{- range list "api" "gateway" }}
    - podSelector:
        matchLabels:
          {{- include "gpudev.selector" (list $root .) | nindent 10 }}
    {{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Who is there, what of it may be dialled, and where it may go. */}}
{{- define "gpudev.ways" -}}
api: {ports: [7070{{ if .Values.monitoring.serviceMonitor.enabled }}, 7073{{ end }}], out: [dns, database, internet]}
processor: {out: [dns, database, apis]{{ if .Values.monitoring.serviceMonitor.enabled }}, ports: [7071]{{ end }}}
gateway: {ports: [7022{{ if .Values.monitoring.serviceMonitor.enabled }}, 7072{{ end }}], out: [dns, database, boxes]}
availability: {out: [dns, database, apis]}
expiry: {out: [dns, database]}
migrate: {out: [dns, database]}
test: {out: [dns, services]}
{{- if include "gpudev.firstSecrets" . }}
first-secrets: {out: [dns, apis]}
{{- end }}
{{- if eq .Values.postgres.mode "chart" }}
postgres:
  ports: [5432]
  from: [api, processor, gateway, availability, expiry, migrate{{ if .Values.postgres.replica.enabled }}, postgres-replica{{ end }}]
{{- if .Values.postgres.replica.enabled }}
postgres-replica: {out: [dns, database]}
{{- end }}
{{- end }}
{{- range $name := list "native" "ghcr" "dockerhub" }}
{{- $registry := get $.Values.registry $name }}
{{- if $registry.enabled }}
registry-{{ $name }}:
  ports: [5000]
  {{- if $registry.upstream }}
  out: [dns, internet]
  {{- end }}
{{- end }}
{{- end }}
{{- end -}}
