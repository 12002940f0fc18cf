{{- define "viaduct.labels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "viaduct.metrics.conf" -}}
server {
    listen {{ .Values.metrics.port }};
    access_log off;
    location = /metrics { metrics; }
    location / { return 404; }
}
{{- end }}

{{- define "viaduct.name" -}}
{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 63 | trimSuffix "-" }}
{{- end }}
