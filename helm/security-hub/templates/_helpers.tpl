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
{{- join "," $names -}}
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

{{/* Where state lives; the same for the service and for the migration. */}}
{{- define "security-hub.stores" -}}
- name: POSTGRES_URI
  valueFrom:
    secretKeyRef:
      name: {{ .Values.postgres.existingSecret }}
      key: {{ .Values.postgres.uriKey }}
{{- end -}}
