{{/* Parts that pods and Senders have in common. Arguments, where there are several: a list of the root context and the values of the
     part, as .Values.sender. */}}

{{- define "pushring.podSecurity" -}}
serviceAccountName: {{ include "pushring.serviceAccount" . | quote }}
automountServiceAccountToken: false
# Variables for each Service of the namespace would only be in the way of ours.
enableServiceLinks: false
securityContext:
  {{- toYaml .Values.podSecurityContext | nindent 2 }}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Where a pod may run. Arguments: the part's values, and what its node has to be. */}}
{{- define "pushring.placement" -}}
{{- $part := index . 0 -}}
{{- with merge (dict) (default (dict) $part.nodeSelector) (index . 1) }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $part.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $part.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $part.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- end -}}

{{/* The same, and how pods are spread. Arguments: the root context, the part's values, its component, and what its node has to be. */}}
{{- define "pushring.scheduling" -}}
{{- $root := index . 0 -}}
{{- $part := index . 1 -}}
{{- $component := index . 2 -}}
{{ include "pushring.placement" (list $part (index . 3)) }}
topologySpreadConstraints:
{{- if $part.topologySpreadConstraints }}
  {{- toYaml $part.topologySpreadConstraints | nindent 2 }}
{{- else }}
  {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - topologyKey: {{ . }}
    maxSkew: 1
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "pushring.selector" (list $root $component) | nindent 8 }}
  {{- end }}
{{- end }}
{{- end -}}

{{/* The start-up probe waits for the process; Redis need not be there yet. A drain never fails the liveness probe. */}}
{{- define "pushring.probes" -}}
startupProbe:
  httpGet: {path: /healthz, port: admin, scheme: HTTP}
  {{- toYaml .startupProbe | nindent 2 }}
livenessProbe:
  httpGet: {path: /healthz, port: admin, scheme: HTTP}
  {{- toYaml .livenessProbe | nindent 2 }}
readinessProbe:
  httpGet: {path: /readyz, port: admin, scheme: HTTP}
  {{- toYaml .readinessProbe | nindent 2 }}
{{- end -}}

{{/* No shell is in the image: the kubelet itself does the waiting. */}}
{{- define "pushring.preStop" -}}
{{- $part := index . 1 -}}
{{- if and (include "pushring.hasPreStopSleep" (index . 0)) (gt (int64 $part.preStopSleepSeconds) 0) }}
lifecycle:
  preStop:
    sleep: {seconds: {{ int64 $part.preStopSleepSeconds }}}
{{- end }}
{{- end -}}

{{/* Of a setting, as drainDeadline. */}}
{{- define "pushring.variable" -}}
PUSHRING_{{ snakecase . | upper }}
{{- end -}}

{{/* Variables for a map of settings: a null leaves the program's default. Arguments: the map, and names to leave out. */}}
{{- define "pushring.settings" -}}
{{- $without := index . 1 -}}
{{- range $key, $value := index . 0 }}
{{- if not (or (kindIs "invalid" $value) (has $key $without)) }}
- name: {{ include "pushring.variable" $key }}
  value: {{ include "pushring.text" $value | quote }}
{{- end }}
{{- end }}
{{- end -}}

{{/* What every program of the cluster needs to know. What others refer to comes first. */}}
{{- define "pushring.sharedEnvironment" -}}
{{- if .Values.redis.bundled.enabled }}
- name: REDIS_PASSWORD
  valueFrom:
    secretKeyRef:
      name: {{ include "pushring.redisSecret" . | quote }}
      key: {{ .Values.redis.bundled.auth.existingSecret.key | quote }}
- name: PUSHRING_REDIS
  value: redis://:$(REDIS_PASSWORD)@{{ include "pushring.fullname" . }}-redis:6379
{{- else }}
- name: PUSHRING_REDIS
  valueFrom:
    secretKeyRef:
      name: {{ include "pushring.redisURLSecret" . | quote }}
      key: {{ ternary "url" .Values.redis.external.existingSecret.key (empty .Values.redis.external.existingSecret.name) | quote }}
{{- if include "pushring.hasCA" . }}
- name: PUSHRING_REDIS_CA_FILE
  value: {{ printf "/etc/pushring/redis-ca/%s" .Values.redis.external.ca.key | quote }}
{{- end }}
{{- end }}
- name: PUSHRING_CLUSTER
  value: {{ .Values.cluster.name | quote }}
- name: PUSHRING_LOG_LEVEL
  value: {{ .Values.log.level }}
- name: PUSHRING_LOG_FORMAT
  value: {{ .Values.log.format }}
{{- include "pushring.settings" (list .Values.cluster (list "name")) }}
{{- end -}}

{{/* Which value sets each variable, as YAML; also one that is null now. Arguments: the root context, and sessionManager or sender. */}}
{{- define "pushring.valuesOfVariables" -}}
{{- $part := index . 1 -}}
{{- $config := list "strategy" "noGrouping" "maxInFlight" "pushTimeout" "auditInterval" -}}
{{- if eq $part "sessionManager" -}}
{{- $config = list "weight" "homingRate" "moveDeadline" "drainDeadline" "helloTimeout" "outboundLimit" "outboundTotalLimit" "slowPolicy" "maxSessions" "keepaliveInterval" "keepaliveTimeout" "edgeThreads" "maxConnectionsPerAddress" "maxNewConnections" "maxCallsPerConnection" "maxNewCalls" "maxClientFrames" "maxClientMessage" "maxClientHeaders" "clientPatience" "idleTimeout" -}}
{{- end -}}
PUSHRING_REDIS: redis.external, or redis.bundled
PUSHRING_REDIS_CA_FILE: redis.external.ca
PUSHRING_CLUSTER: cluster.name
PUSHRING_LOG_LEVEL: log.level
PUSHRING_LOG_FORMAT: log.format
PUSHRING_LISTEN: ipFamily
PUSHRING_ADMIN_LISTEN: ipFamily
{{- if (index . 0).Values.redis.bundled.enabled }}
REDIS_PASSWORD: redis.bundled.auth
{{- end }}
{{- if eq $part "sessionManager" }}
POD_NAME: fullnameOverride
POD_IP: ipFamily
PUSHRING_POD_ID: fullnameOverride
PUSHRING_PEER_LISTEN: ipFamily
PUSHRING_ADVERTISE: exposure
PUSHRING_PEER_ADVERTISE: ipFamily
PUSHRING_ZONE: sessionManager.zone
{{- end }}
{{- range $key := list "lease" "renewalInterval" "grace" "recoveryWait" "tokens" "shareCap" "maxMessage" "redisTimeout" }}
{{ include "pushring.variable" $key }}: cluster.{{ $key }}
{{- end }}
{{- range $key := $config }}
{{ include "pushring.variable" $key }}: {{ $part }}.config.{{ $key }}
{{- end }}
{{- end -}}

{{- define "pushring.hasCA" -}}
{{- with .Values.redis -}}
{{- if and (not .bundled.enabled) (or .external.ca.secretName .external.ca.configMapName) -}}yes{{- end -}}
{{- end -}}
{{- end -}}

{{/* With their keys, or nothing. */}}
{{- define "pushring.volumeMounts" -}}
{{- $hasCA := include "pushring.hasCA" (index . 0) -}}
{{- $extra := (index . 1).extraVolumeMounts -}}
{{- if or $hasCA $extra }}
volumeMounts:
{{- if $hasCA }}
  - name: redis-ca
    mountPath: /etc/pushring/redis-ca
    readOnly: true
{{- end }}
{{- with $extra }}
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "pushring.volumes" -}}
{{- $root := index . 0 -}}
{{- $hasCA := include "pushring.hasCA" $root -}}
{{- $extra := (index . 1).extraVolumes -}}
{{- if or $hasCA $extra }}
volumes:
{{- if $hasCA }}
  - name: redis-ca
{{- with $root.Values.redis.external.ca }}
    # Of a Secret that has the key of a certificate too, that one stays where it is.
{{- $items := list (dict "key" .key "path" .key) }}
{{- if .secretName }}
    secret: {secretName: {{ .secretName | quote }}, items: {{ toJson $items }}}
{{- else }}
    configMap: {name: {{ .configMapName | quote }}, items: {{ toJson $items }}}
{{- end }}
{{- end }}
{{- end }}
{{- with $extra }}
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Of the pod template: a change of the URL in values, or of the password that the chart made, replaces the pods, which read it when they
     start. */}}
{{- define "pushring.podAnnotations" -}}
{{- $root := index . 0 -}}
{{- $own := dict -}}
{{- with $root.Values.redis.external.url -}}
{{- $_ := set $own "checksum/redis-url" (sha256sum .) -}}
{{- end -}}
{{- with include "pushring.passwordChecksum" $root -}}
{{- $_ := set $own "checksum/redis-password" . -}}
{{- end -}}
{{- include "pushring.annotations" (list $root (merge $own (default (dict) (index . 1).podAnnotations))) -}}
{{- end -}}
