{{- define "peakline.name" -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- end -}}

{{- define "peakline.match" -}}
app.kubernetes.io/name: peakline
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "peakline.labels" -}}
{{ include "peakline.match" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end -}}

{{- /* The pod's own name is its group.instance.id: a restarted pod finds its partitions again. */ -}}
{{- define "peakline.config" -}}
{{- $own := dict "kafka" (dict "instance" "${POD_NAME}") "http" (dict "listen" "0.0.0.0:8080")
      "control" (dict "socket" "/run/peakline/control") "log" (dict "form" "json") -}}
{{- mergeOverwrite (deepCopy .Values.config) $own | toYaml -}}
{{- end -}}
