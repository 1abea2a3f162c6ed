{{- define "security-hub.name" -}}
{{- printf "%s" .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{- define "security-hub.labels" -}}
app.kubernetes.io/name: security-hub
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "security-hub.selector" -}}
app.kubernetes.io/name: security-hub
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "security-hub.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- define "security-hub.serviceAccount" -}}
{{ .Values.serviceAccount.name | default (include "security-hub.name" .) }}
{{- end -}}

{{- define "security-hub.dnsNames" -}}
{{- $names := list -}}
{{- range $service := list (include "security-hub.name" .) (printf "%s-headless" (include "security-hub.name" .)) -}}
{{- range $suffix := list "" (printf ".%s" $.Release.Namespace) (printf ".%s.svc" $.Release.Namespace) (printf ".%s.svc.cluster.local" $.Release.Namespace) -}}
{{- $names = append $names (printf "%s%s" $service $suffix) -}}
{{- end -}}
{{- end -}}
{{- join "," (concat $names .Values.dnsNames) -}}
{{- end -}}

{{/* What the pod security standard "restricted" asks of a container. */}}
{{- define "security-hub.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
capabilities:
  drop: ["ALL"]
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{/* What the pod security standard "restricted" asks of a pod; mounted secrets are root's, readable by this group alone. */}}
{{- define "security-hub.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{/*
A key of a secret as a file: what stands in the environment is read by every child process and every dump of it.
Takes (dict "volume" … "secret" … "key" …).
*/}}
{{- define "security-hub.secretVolume" -}}
- name: {{ .volume }}
  secret:
    secretName: {{ .secret }}
    # Root's file, readable by the pod's group (fsGroup) alone: the hub refuses a key that others can read.
    defaultMode: 0440
    items:
      - { key: {{ .key | quote }}, path: {{ .volume }} }
{{- end -}}

{{- define "security-hub.secretMount" -}}
- { name: {{ . }}, mountPath: /etc/security-hub/{{ . }}, readOnly: true }
{{- end -}}

{{/* Environment of the user's, less what the chart sets itself: named twice, the last one would win and nobody would see it. */}}
{{- define "security-hub.environment" -}}
{{- range $name, $value := .Values.env }}
{{- if has $name (list "NODE_ENV" "GRPC_HOST" "GRPC_PORT" "HTTP_HOST" "HTTP_PORT" "PROBE_PORT" "DATA_DIR" "ENCRYPTION_KEY_PATH") }}
{{- fail (printf "env.%s: the chart sets it, and its ports, probes and mounts rely on it" $name) }}
{{- else if has $name (list "TRUST_DOMAIN" "JWT_ISSUER" "JWT_AUDIENCE") }}
{{- fail (printf "env.%s: use trustDomain, jwt.issuer or jwt.audience" $name) }}
{{- else if has $name (list "TLS_DNS_NAMES" "HTTP_HOSTS") }}
{{- fail (printf "env.%s: use dnsNames, which adds to the names of the services" $name) }}
{{- else if has (trimSuffix "_FILE" $name) (list "POSTGRES_URI" "MIGRATION_POSTGRES_URI" "REDIS_URL" "ENCRYPTION_KEY") }}
{{- fail (printf "env.%s: secrets come from secrets; use postgres, redis or masterKey" $name) }}
{{- end }}
{{- /* Helm reads whole numbers as floats and would write a million as 1e+06. */}}
{{- if and (kindIs "float64" $value) (eq (floor $value) $value) }}
- { name: {{ $name }}, value: {{ int64 $value | quote }} }
{{- else }}
- { name: {{ $name }}, value: {{ $value | quote }} }
{{- end }}
{{- end }}
{{- end -}}
