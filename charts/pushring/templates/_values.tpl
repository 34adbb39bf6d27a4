{{/* Helm reads numbers as floats, and would write a million as 1e+06. */}}
{{- define "pushring.text" -}}
{{- if kindIs "float64" . -}}{{- int64 . -}}{{- else -}}{{- . -}}{{- end -}}
{{- end -}}

{{/* A duration such as 1.5s, in milliseconds, of which there can be parts. */}}
{{- define "pushring.exactMilliseconds" -}}
{{- $number := regexFind "^[0-9]+(\\.[0-9]+)?" . | float64 -}}
{{- mulf $number (get (dict "ms" 1 "s" 1000 "m" 60000 "h" 3600000) (regexFind "[a-z]+$" .)) -}}
{{- end -}}

{{/* The same, rounded up. */}}
{{- define "pushring.milliseconds" -}}
{{- include "pushring.exactMilliseconds" . | float64 | ceil | int64 -}}
{{- end -}}

{{/* A duration in seconds, rounded up. */}}
{{- define "pushring.seconds" -}}
{{- divf (include "pushring.milliseconds" . | float64) 1000 | ceil | int64 -}}
{{- end -}}

{{/* What the program takes for each duration, and has where the value is null; Sources/Settings/SettingTable.swift says the same. */}}
{{- define "pushring.durations" -}}
cluster.lease: {default: 3s, least: 300ms, most: 5m}
cluster.renewalInterval: {default: 1s, least: 100ms, most: 100s}
cluster.grace: {default: 60s, least: 1s, most: 1h}
cluster.recoveryWait: {default: "", least: 0s, most: 48h}
cluster.redisTimeout: {default: 2s, least: 50ms, most: 1m}
sessionManager.config.moveDeadline: {default: 10s, least: 100ms, most: 1m}
sessionManager.config.drainDeadline: {default: 20s, least: 0s, most: 1h}
sessionManager.config.helloTimeout: {default: 5s, least: 100ms, most: 5m}
sessionManager.config.keepaliveInterval: {default: 30s, least: 100ms, most: 1h}
sessionManager.config.keepaliveTimeout: {default: 10s, least: 100ms, most: 5m}
sessionManager.config.clientPatience: {default: 10s, least: 100ms, most: 5m}
sessionManager.config.idleTimeout: {default: 60s, least: 100ms, most: 24h}
sender.config.pushTimeout: {default: 5s, least: 10ms, most: 5m}
{{- end -}}

{{/* What a duration is in effect, or nothing. Arguments: the root context, and the value's path as above. */}}
{{- define "pushring.duration" -}}
{{- $path := index . 1 -}}
{{- $value := (index . 0).Values -}}
{{- range splitList "." $path -}}{{- $value = get $value . -}}{{- end -}}
{{- default (get (include "pushring.durations" . | fromYaml) $path).default $value -}}
{{- end -}}

{{- define "pushring.hasPreStopSleep" -}}
{{- if semverCompare ">=1.30.0-0" .Capabilities.KubeVersion.Version -}}yes{{- end -}}
{{- end -}}

{{/* The program ends what is left ten seconds after its deadline; five more are for starting and stopping. Arguments: the root context,
     the part's values, and the path of the deadline. */}}
{{- define "pushring.neededGrace" -}}
{{- $deadline := include "pushring.duration" (list (index . 0) (index . 2)) -}}
{{- add (index . 1).preStopSleepSeconds (include "pushring.seconds" $deadline | int64) 15 -}}
{{- end -}}

{{/* As many pods or Senders as there can be. The argument is the values of the part, as .Values.sender. */}}
{{- define "pushring.maximumReplicas" -}}
{{- if .autoscaling.enabled -}}{{- int64 .autoscaling.maxReplicas -}}{{- else -}}{{- int64 .replicas -}}{{- end -}}
{{- end -}}

{{/* Bytes of an amount of memory as Kubernetes writes it (256Mi, 1.5G), or Redis (192mb; a small letter without b is decimal); nothing
     for anything else. */}}
{{- define "pushring.bytes" -}}
{{- $text := include "pushring.text" . -}}
{{- $units := dict "" 1 "k" 1000 "K" 1000 "m" 1000000 "M" 1000000 "g" 1000000000 "G" 1000000000 "T" 1000000000000 "kb" 1024 "Ki" 1024 "mb" 1048576 "Mi" 1048576 "gb" 1073741824 "Gi" 1073741824 "Ti" 1099511627776 -}}
{{- $unit := regexFind "[a-zA-Z]*$" $text -}}
{{- if and (regexMatch "^[0-9]+(\\.[0-9]+)?[a-zA-Z]*$" $text) (hasKey $units $unit) -}}
{{- mulf (trimSuffix $unit $text | float64) (get $units $unit) | int64 -}}
{{- end -}}
{{- end -}}

{{/* A number, or that of a percentage, which a budget rounds up. Arguments: the text, and of how many. */}}
{{- define "pushring.partOf" -}}
{{- $text := index . 0 -}}
{{- if hasSuffix "%" $text -}}
{{- div (add (mul (trimSuffix "%" $text | int64) (index . 1)) 99) 100 -}}
{{- else -}}
{{- $text -}}
{{- end -}}
{{- end -}}

{{/* Whether all pods are told to clients by one address, so that none can be named. */}}
{{- define "pushring.isOneAddress" -}}
{{- with .Values.exposure -}}
{{- if or (and (eq .mode "single") .single.address) (and (eq .mode "gateway") (eq .gateway.match "header")) -}}yes{{- end -}}
{{- end -}}
{{- end -}}

{{/* Strays that a pod sends home in a second, or nothing where the program's default does. Home can't be named by one address. */}}
{{- define "pushring.homingRate" -}}
{{- $rate := .Values.sessionManager.config.homingRate -}}
{{- if not (kindIs "invalid" $rate) -}}{{- int64 $rate -}}{{- else if include "pushring.isOneAddress" . -}}0{{- end -}}
{{- end -}}

{{/* Whether most sessions are strays, and stay so. */}}
{{- define "pushring.straysAreTheRule" -}}
{{- if and (include "pushring.isOneAddress" .) (eq (include "pushring.homingRate" .) "0") -}}yes{{- end -}}
{{- end -}}

{{/* The exposures that Services and routes are made for: the one that pods are told by, and the one before. */}}
{{- define "pushring.isExposed" -}}
{{- $exposure := (index . 0).Values.exposure -}}
{{- if has (index . 1) (list $exposure.mode $exposure.previous) -}}yes{{- end -}}
{{- end -}}

{{/* Of each pod's own Service. */}}
{{- define "pushring.podPort" -}}
{{- if include "pushring.isExposed" (list . "perPod") -}}{{- int64 .Values.exposure.perPod.port -}}{{- else -}}7400{{- end -}}
{{- end -}}

{{/* How many pods have a Service, and a route, of their own. Not fewer than run: a pod that an upgrade takes away keeps its own until it
     has drained, and until the next upgrade. */}}
{{- define "pushring.exposedPods" -}}
{{- $most := int64 (include "pushring.maximumReplicas" .Values.sessionManager) -}}
{{- with lookup "apps/v1" "StatefulSet" .Release.Namespace (include "pushring.fullname" .) -}}
{{- $most = max $most (int64 .spec.replicas) (dig "status" "replicas" 0 . | int64) -}}
{{- end -}}
{{- max $most (int64 .Values.exposure.pods) -}}
{{- end -}}

{{/* Where clients reach a pod: HOST:PORT, in which Kubernetes puts the pod's name or address. */}}
{{- define "pushring.advertise" -}}
{{- $exposure := .Values.exposure -}}
{{- if eq $exposure.mode "perPod" -}}
{{- printf "$(POD_NAME).%s:%v" $exposure.perPod.domain (int64 $exposure.perPod.port) -}}
{{- else if eq $exposure.mode "gateway" -}}
{{- if eq $exposure.gateway.match "hostname" -}}$(POD_NAME).{{- end -}}
{{- printf "%s:%v" $exposure.gateway.domain (int64 $exposure.gateway.port) -}}
{{- else if $exposure.single.address -}}
{{- $exposure.single.address -}}
{{- else -}}
{{- printf "%s:7400" (include "pushring.podAddress" .) -}}
{{- end -}}
{{- end -}}

{{- define "pushring.podAddress" -}}
{{- if eq .Values.ipFamily "IPv6" -}}[$(POD_IP)]{{- else -}}$(POD_IP){{- end -}}
{{- end -}}

{{- define "pushring.anyAddress" -}}
{{- if eq .Values.ipFamily "IPv6" -}}[::]{{- else -}}0.0.0.0{{- end -}}
{{- end -}}

{{/* What all pods of a cluster agree on, as one line: an upgrade is compared with it. */}}
{{- define "pushring.clusterSettings" -}}
{{- $cluster := .Values.cluster -}}
{{- $parts := list (printf "name=%s" $cluster.name) (printf "redis=%s" (ternary "bundled" "external" .Values.redis.bundled.enabled)) -}}
{{- $external := .Values.redis.external -}}
{{- if not .Values.redis.bundled.enabled -}}
{{- $place := regexReplaceAll "//[^@/]*@" (default "" $external.url) "//" | default (printf "%s %s" $external.existingSecret.name $external.existingSecret.key) -}}
{{- $parts = append $parts (printf "redisAt=%s" (sha256sum $place | trunc 12)) -}}
{{- end -}}
{{- range $key := list "lease" "renewalInterval" "grace" "recoveryWait" -}}
{{- with include "pushring.duration" (list $ (printf "cluster.%s" $key)) -}}
{{- $parts = append $parts (printf "%s=%s" $key .) -}}
{{- end -}}
{{- end -}}
{{- $parts = append $parts (printf "tokens=%d" (default 256 $cluster.tokens | int64)) -}}
{{- with $cluster.shareCap -}}
{{- $parts = append $parts (printf "shareCap=%d" (int64 .)) -}}
{{- end -}}
{{- join " " $parts -}}
{{- end -}}

{{/* As `clusterSettings`, without what the chart that wrote `before` did not write. */}}
{{- define "pushring.comparableSettings" -}}
{{- $before := index . 1 -}}
{{- $now := include "pushring.clusterSettings" (index . 0) -}}
{{- if contains "redisAt=" $before -}}{{- $now -}}{{- else -}}{{- regexReplaceAll " redisAt=[0-9a-f]+" $now "" -}}{{- end -}}
{{- end -}}

{{/* Such a line with its durations in milliseconds: 3s and 3000ms are the same to pods. */}}
{{- define "pushring.exactSettings" -}}
{{- $parts := list -}}
{{- range splitList " " . -}}
{{- $duration := regexFind "^(lease|renewalInterval|grace|recoveryWait)=.+" . | regexFind "[^=]+$" -}}
{{- if $duration -}}
{{- $parts = append $parts (printf "%s%sms" (trimSuffix $duration .) (include "pushring.milliseconds" $duration)) -}}
{{- else -}}
{{- $parts = append $parts . -}}
{{- end -}}
{{- end -}}
{{- join " " $parts -}}
{{- end -}}

{{/* `replicas` of a workload, as a line of its own. With autoscaling it is what runs: without the line Kubernetes would make it 1 when
     autoscaling is switched on, and an autoscaler does nothing for a workload at 0. minReplicas where nothing runs, or a rollback to the
     first revision would make it 1. Nothing where Helm reaches no cluster, so that whoever applies rendered manifests does not undo the
     autoscaler's work: in a cluster every namespace has the account "default". */}}
{{- define "pushring.replicas" -}}
{{- $root := index . 0 -}}{{- $part := index . 1 -}}
{{- if not $part.autoscaling.enabled -}}
replicas: {{ int64 $part.replicas }}
{{- else -}}
{{- $least := int64 $part.autoscaling.minReplicas -}}
{{- with lookup "apps/v1" (index . 2) $root.Release.Namespace (index . 3) -}}
replicas: {{ max $least (int64 .spec.replicas) }}
{{- else -}}
{{- if lookup "v1" "ServiceAccount" $root.Release.Namespace "default" -}}
replicas: {{ $least }}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "pushring.redisSecret" -}}
{{- with .Values.redis.bundled.auth.existingSecret -}}
{{- default (printf "%s-redis" (include "pushring.fullname" $)) .name -}}
{{- end -}}
{{- end -}}

{{/* What the chart's own Secret has for the bundled Redis, in base64, or nothing. */}}
{{- define "pushring.knownPassword" -}}
{{- with lookup "v1" "Secret" .Release.Namespace (include "pushring.redisSecret" .) -}}
{{- get (default dict .data) $.Values.redis.bundled.auth.existingSecret.key -}}
{{- end -}}
{{- end -}}

{{/* The bundled Redis' password where the chart makes it, in base64. Made once, and then read from the cluster: another would lock pods out
     that run. Several templates ask for it, so a new one is noted in what lasts as long as the rendering, and is not kept with the release
     as values may be. */}}
{{- define "pushring.password" -}}
{{- $note := printf "password of %s" (include "pushring.fullname" .) -}}
{{- if not (hasKey .Release $note) -}}
{{- $_ := set .Release $note (default (randAlphaNum 32 | b64enc) (include "pushring.knownPassword" .)) -}}
{{- end -}}
{{- get .Release $note -}}
{{- end -}}

{{/* Of that password, for the pods that read it when they start; or nothing. So where Helm reaches no cluster, since each rendering makes
     another (see pushring.replicas); and for pods that run without it: as long as their password stays it is no reason to replace them. */}}
{{- define "pushring.passwordChecksum" -}}
{{- $bundled := .Values.redis.bundled -}}
{{- if and $bundled.enabled (not $bundled.auth.existingSecret.name) (lookup "v1" "ServiceAccount" .Release.Namespace "default") -}}
{{- $runs := lookup "apps/v1" "StatefulSet" .Release.Namespace (printf "%s-redis" (include "pushring.fullname" .)) -}}
{{- $isTold := false -}}
{{- with $runs -}}{{- $isTold = hasKey (default dict .spec.template.metadata.annotations) "checksum/redis-password" -}}{{- end -}}
{{- if or (not $runs) $isTold (not (include "pushring.knownPassword" .)) -}}
{{- include "pushring.password" . | b64dec | sha256sum -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "pushring.redisURLSecret" -}}
{{- default (printf "%s-redis-url" (include "pushring.fullname" .)) .Values.redis.external.existingSecret.name -}}
{{- end -}}
