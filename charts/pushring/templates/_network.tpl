{{/* What every program of the cluster needs to reach. */}}
{{- define "pushring.egressToShared" -}}
{{ include "pushring.egressToNames" . }}
{{- if .Values.redis.bundled.enabled }}
- ports:
    - {port: 6379, protocol: TCP}
  to:
    - podSelector:
        matchLabels:
          {{- include "pushring.selector" (list . "redis") | nindent 10 }}
{{- else }}
- ports:
    {{- range default (list (include "pushring.redisPort" .)) .Values.networkPolicy.redisPorts }}
    - {port: {{ int64 . }}, protocol: TCP}
    {{- end }}
  {{- with .Values.networkPolicy.redis }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
- ports:
    - {port: 7401, protocol: TCP}
  to:
    - podSelector:
        {{- include "pushring.clusterSelector" . | nindent 8 }}
{{- with .Values.networkPolicy.extraEgress }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* The port in the external Redis' URL, or that of a URL without one. */}}
{{- define "pushring.redisPort" -}}
{{- $place := regexFind "//[^/]*" (default "" .Values.redis.external.url) -}}
{{- regexFind ":[0-9]+$" (regexReplaceAll "^.*@" $place "") | trimPrefix ":" | default "6379" -}}
{{- end -}}

{{- define "pushring.egressToNames" -}}
- ports:
    {{- range .Values.networkPolicy.dnsPorts }}
    - {port: {{ int64 . }}, protocol: UDP}
    - {port: {{ int64 . }}, protocol: TCP}
    {{- end }}
  {{- with .Values.networkPolicy.dns }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}
