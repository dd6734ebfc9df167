{{/* https://distribution.github.io/distribution/about/configuration/ */}}
{{- define "gpudev.registryConfig" -}}
version: 0.1
log: {formatter: json}
storage:
  filesystem: {rootdirectory: /var/lib/registry}
  delete: {enabled: true}
http:
  addr: 0.0.0.0:5000
health:
  storagedriver: {enabled: true}
{{- with .upstream }}
proxy: {remoteurl: {{ . | quote }}}
{{- end }}
{{- end -}}
