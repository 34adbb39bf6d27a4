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

{{/* Whether somebody may read the metrics at an administration port: who is in networkPolicy.metrics, or by a rule of the user's.
     Arguments: the root context, and the port. */}}
{{- define "pushring.admitsMetrics" -}}
{{- $wanted := index . 1 -}}
{{- with (index . 0).Values.networkPolicy -}}
{{- if or (not .enabled) .metrics -}}
yes
{{- else -}}
{{- range $rule := .extraIngress -}}
{{- range default (list dict) $rule.ports -}}
{{- $first := include "pushring.text" (default $wanted .port) -}}
{{- $last := include "pushring.text" (default $first .endPort) -}}
{{- if or (eq $first "admin") (and (le (int64 $first) $wanted) (ge (int64 $last) $wanted)) -}}yes{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
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
