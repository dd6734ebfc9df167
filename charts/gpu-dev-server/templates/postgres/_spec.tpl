{{- define "gpudev.postgresConfig" -}}
listen_addresses = '*'
password_encryption = 'scram-sha-256'
unix_socket_directories = '/var/run/postgresql'
{{- range $key, $value := .Values.postgres.primary.parameters }}
{{- if not (kindIs "invalid" $value) }}
{{ $key }} = '{{ $value | toString | replace "'" "''" }}'
{{- end }}
{{- end }}
{{- end -}}

{{- define "gpudev.postgresAccess" -}}
local all all scram-sha-256
host all all all scram-sha-256
host replication {{ .Values.postgres.auth.username }} all scram-sha-256
{{- end -}}

{{/* (list $ "name" command-or-null): a container of PostgreSQL, without its ports and probes */}}
{{- define "gpudev.postgresContainer" -}}
{{- $root := index . 0 -}}
name: {{ index . 1 }}
image: {{ include "gpudev.image" (list $root $root.Values.images.postgres) }}
imagePullPolicy: {{ $root.Values.images.postgres.pullPolicy }}
securityContext:
  {{- include "gpudev.containerSecurity" . | nindent 2 }}
env:
  - {name: PGDATA, value: /var/lib/postgresql/pgdata}
  - {name: POSTGRES_DB, value: {{ $root.Values.postgres.auth.database | quote }}}
  - {name: POSTGRES_USER, value: {{ $root.Values.postgres.auth.username | quote }}}
  - {name: POSTGRES_PASSWORD_FILE, value: /var/run/gpudev/secrets/owner-password}
  - {name: POSTGRES_INITDB_ARGS, value: --auth=scram-sha-256}
volumeMounts:
  - {name: data, mountPath: /var/lib/postgresql}
  - {name: config, mountPath: /etc/postgresql, readOnly: true}
  - {name: secrets, mountPath: /var/run/gpudev/secrets, readOnly: true}
  - {name: run, mountPath: /var/run/postgresql}
  - {name: tmp, mountPath: /tmp}
  - {name: shm, mountPath: /dev/shm}
{{- end -}}

{{- define "gpudev.postgresServing" -}}
args: [postgres, -c, config_file=/etc/postgresql/postgresql.conf, -c, hba_file=/etc/postgresql/pg_hba.conf]
ports:
  - {name: postgres, containerPort: 5432}
startupProbe:
  exec: {command: [pg_isready, --host=127.0.0.1, --timeout=3]}
  periodSeconds: 2
  timeoutSeconds: 5
  failureThreshold: 150
# 1 is a server that lets nobody in just now, as while it recovers: it lives. 2 is none that answers.
livenessProbe:
  exec: {command: [sh, -c, 'pg_isready --host=127.0.0.1 --timeout=5; test $? -ne 2']}
  periodSeconds: 10
  timeoutSeconds: 10
  failureThreshold: 6
readinessProbe:
  exec: {command: [pg_isready, --host=127.0.0.1, --timeout=3]}
  periodSeconds: 5
  timeoutSeconds: 5
{{- end -}}

{{- define "gpudev.postgresVolumes" -}}
- name: config
  configMap: {name: {{ include "gpudev.name" (list . "postgres") }}}
- name: secrets
  secret:
    secretName: {{ include "gpudev.secretName" . }}
    defaultMode: 0400
    items:
      - {key: owner-password, path: owner-password}
- name: run
  emptyDir: {sizeLimit: 16Mi}
- name: tmp
  emptyDir: {sizeLimit: 1Gi}
- name: shm
  emptyDir: {medium: Memory, sizeLimit: 256Mi}
{{- end -}}

{{/* A claim for each pod, which outlives the StatefulSet and the release. */}}
{{- define "gpudev.postgresClaims" -}}
{{- $primary := .Values.postgres.primary -}}
- metadata:
    name: data
  spec:
    accessModes: [ReadWriteOnce]
    {{- with include "gpudev.storageClass" (list . $primary.storageClass) }}
    storageClassName: {{ . }}
    {{- end }}
    resources:
      requests:
        storage: {{ $primary.size }}
{{- end -}}
