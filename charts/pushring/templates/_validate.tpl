{{/* Combinations that can't work, or would lose sessions, are refused before anything is installed. Every message says what to do. */}}
{{- define "pushring.validate" -}}
{{- $problems := list -}}
{{- $problems = concat $problems (include "pushring.redisProblems" . | fromJsonArray) -}}
{{- $problems = concat $problems (include "pushring.durationProblems" . | fromJsonArray) -}}
{{- $problems = concat $problems (include "pushring.clusterProblems" . | fromJsonArray) -}}
{{- $problems = concat $problems (include "pushring.lifeProblems" . | fromJsonArray) -}}
{{- $problems = concat $problems (include "pushring.extensionProblems" . | fromJsonArray) -}}
{{- $problems = concat $problems (include "pushring.exposureProblems" . | fromJsonArray) -}}
{{- $problems = concat $problems (include "pushring.scalingProblems" . | fromJsonArray) -}}
{{- if $problems -}}
{{- fail (printf "\n\nThese values do not go together:\n\n- %s\n" (join "\n- " $problems)) -}}
{{- end -}}
{{- end -}}

{{- define "pushring.redisProblems" -}}
{{- $problems := list -}}
{{- $external := .Values.redis.external -}}
{{- $bundled := .Values.redis.bundled -}}
{{- $hasExternal := or $external.url $external.existingSecret.name -}}
{{- if and $bundled.enabled $hasExternal -}}
{{- $problems = append $problems "redis.external is set and redis.bundled.enabled is true: pods would use one and you would look at the other. Set redis.bundled.enabled to false" -}}
{{- end -}}
{{- if not (or $bundled.enabled $hasExternal) -}}
{{- $problems = append $problems "there is no Redis: set redis.external.url or redis.external.existingSecret.name, or redis.bundled.enabled for a trial" -}}
{{- end -}}
{{- if and $external.url $external.existingSecret.name -}}
{{- $problems = append $problems "redis.external.url and redis.external.existingSecret.name are both set: leave one of them empty" -}}
{{- end -}}
{{- $hasCA := or $external.ca.secretName $external.ca.configMapName -}}
{{- if and $external.ca.secretName $external.ca.configMapName -}}
{{- $problems = append $problems "redis.external.ca.secretName and redis.external.ca.configMapName are both set: leave one of them empty" -}}
{{- end -}}
{{- if and $hasCA (hasPrefix "redis://" (default "" $external.url)) -}}
{{- $problems = append $problems "redis.external.ca is set and redis.external.url begins with redis://, which is not encrypted: make it rediss://, or leave the CA out" -}}
{{- end -}}
{{- if and $bundled.enabled (ne $bundled.maxMemoryPolicy "noeviction") -}}
{{- $problems = append $problems (printf "redis.bundled.maxMemoryPolicy is %s: Redis would throw records of live sessions away, and pushes would miss them. Make it noeviction, and raise redis.bundled.maxMemory" $bundled.maxMemoryPolicy) -}}
{{- end -}}
{{- $limit := dig "limits" "memory" "" (default (dict) $bundled.resources) -}}
{{- $bytes := include "pushring.bytes" $limit -}}
{{- if and $bundled.enabled $bytes (ge (include "pushring.bytes" $bundled.maxMemory | int64) (int64 $bytes)) -}}
{{- $problems = append $problems (printf "redis.bundled.maxMemory (%s) is not below redis.bundled.resources.limits.memory (%s): Redis would be killed and lose its records, instead of refusing more. Lower it to about three quarters, or raise the limit" (include "pushring.text" $bundled.maxMemory) (include "pushring.text" $limit)) -}}
{{- end -}}
{{- toJson $problems -}}
{{- end -}}

{{/* A pod would end as soon as it starts, with the same words in its log. */}}
{{- define "pushring.durationProblems" -}}
{{- $problems := list -}}
{{- range $path, $range := include "pushring.durations" . | fromYaml -}}
{{- with include "pushring.duration" (list $ $path) -}}
{{- $value := include "pushring.exactMilliseconds" . | float64 -}}
{{- if or (lt $value (include "pushring.exactMilliseconds" $range.least | float64)) (gt $value (include "pushring.exactMilliseconds" $range.most | float64)) -}}
{{- $problems = append $problems (printf "%s is %s, and the program takes from %s to %s. Choose one of these" $path . $range.least $range.most) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toJson $problems -}}
{{- end -}}

{{- define "pushring.clusterProblems" -}}
{{- $problems := list -}}
{{- $lease := include "pushring.duration" (list . "cluster.lease") -}}
{{- $renewal := include "pushring.duration" (list . "cluster.renewalInterval") -}}
{{- if gt (mul 2 (include "pushring.milliseconds" $renewal | int64)) (include "pushring.milliseconds" $lease | int64) -}}
{{- $problems = append $problems (printf "cluster.renewalInterval (%s) is more than half of cluster.lease (%s): one late renewal would end a lease. Renew more often" $renewal $lease) -}}
{{- end -}}
{{- $keepalive := include "pushring.duration" (list . "sessionManager.config.keepaliveInterval") -}}
{{- $grace := include "pushring.duration" (list . "cluster.grace") -}}
{{- if ge (include "pushring.milliseconds" $keepalive | int64) (include "pushring.milliseconds" $grace | int64) -}}
{{- $problems = append $problems (printf "sessionManager.config.keepaliveInterval (%s) is not shorter than cluster.grace (%s): a pod that is given up could still have streams. Shorten it" $keepalive $grace) -}}
{{- end -}}
{{- $name := include "pushring.fullname" . -}}
{{- if not (regexMatch "^[a-z]([-a-z0-9]*[a-z0-9])?$" $name) -}}
{{- $problems = append $problems (printf "'%s' is no name for a Service: it has to begin with a letter, and to have only small letters, digits and hyphens. Set fullnameOverride" $name) -}}
{{- end -}}
{{- $running := lookup "apps/v1" "StatefulSet" .Release.Namespace (include "pushring.fullname" .) -}}
{{- if $running -}}
{{- $before := get (default (dict) $running.metadata.annotations) "pushring/cluster-settings" -}}
{{- $now := include "pushring.comparableSettings" (list . (default "" $before)) -}}
{{- $count := max (int64 $running.spec.replicas) (dig "status" "replicas" 0 $running | int64) -}}
{{- if and $before (ne (include "pushring.exactSettings" $before) (include "pushring.exactSettings" $now)) (gt $count 0) -}}
{{- $problems = append $problems (printf "pods run with '%s', and can't work beside those with '%s': pushes would miss sessions while both are there. Stop the pods first by an upgrade with the old settings and sessionManager.replicas=0 (and sessionManager.autoscaling.enabled=false), or leave the settings as they are. See UPGRADING.md" $before $now) -}}
{{- end -}}
{{- end -}}
{{- toJson $problems -}}
{{- end -}}

{{- define "pushring.lifeProblems" -}}
{{- $problems := list -}}
{{- $pods := .Values.sessionManager -}}
{{- $needed := include "pushring.neededGrace" (list . $pods "sessionManager.config.drainDeadline") | int64 -}}
{{- $deadline := include "pushring.duration" (list . "sessionManager.config.drainDeadline") -}}
{{- with $pods.terminationGracePeriodSeconds -}}
{{- if lt (int64 .) $needed -}}
{{- $problems = append $problems (printf "sessionManager.terminationGracePeriodSeconds is %d, and a drain may take %d s (preStopSleepSeconds %d, config.drainDeadline %s, and 15): a pod would be killed with sessions on it. Raise it, or leave it out" (int64 .) $needed (int64 $pods.preStopSleepSeconds) $deadline) -}}
{{- end -}}
{{- end -}}
{{- $needed = include "pushring.neededGrace" (list . .Values.sender "sender.config.pushTimeout") | int64 -}}
{{- $deadline = include "pushring.duration" (list . "sender.config.pushTimeout") -}}
{{- with .Values.sender.terminationGracePeriodSeconds -}}
{{- if lt (int64 .) $needed -}}
{{- $problems = append $problems (printf "sender.terminationGracePeriodSeconds is %d, and pushes under way may take %d s (preStopSleepSeconds %d, config.pushTimeout %s, and 15). Raise it, or leave it out" (int64 .) $needed (int64 $.Values.sender.preStopSleepSeconds) $deadline) -}}
{{- end -}}
{{- end -}}
{{- range $name, $lost := dict "sessionManager" "with nowhere for sessions to move" "sender" "and nobody could push" -}}
{{- $part := get $.Values $name -}}
{{- if $part.podDisruptionBudget.enabled -}}
{{- $allowed := include "pushring.text" $part.podDisruptionBudget.maxUnavailable -}}
{{- $count := int64 $part.replicas -}}
{{- if $part.autoscaling.enabled -}}{{- $count = int64 $part.autoscaling.minReplicas -}}{{- end -}}
{{- $absolute := include "pushring.partOf" (list $allowed $count) | int64 -}}
{{- if has $allowed (list "0" "0%") -}}
{{- $problems = append $problems (printf "%s.podDisruptionBudget.maxUnavailable is %s: a node with one on it could never be drained. Make it 1, or podDisruptionBudget.enabled false" $name $allowed) -}}
{{- else if and (gt $count 1) (ge $absolute $count) -}}
{{- $problems = append $problems (printf "%s.podDisruptionBudget.maxUnavailable is %s of %d: all could be drained at once, %s. Make it 1" $name $allowed $count $lost) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toJson $problems -}}
{{- end -}}

{{/* What a user adds must not take the place of what the chart sets. */}}
{{- define "pushring.extensionProblems" -}}
{{- $problems := list -}}
{{- range $part := list "sessionManager" "sender" -}}
{{- $values := include "pushring.valuesOfVariables" (list $ $part) | fromYaml -}}
{{- range $entry := (get $.Values $part).extraEnv -}}
{{- with get $values (toString $entry.name) -}}
{{- $problems = append $problems (printf "%s.extraEnv has %s, which the chart sets itself and checks: take it out, and set %s instead" $part $entry.name .) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $metrics := .Values.metrics -}}
{{- $selected := list "app.kubernetes.io/name" "app.kubernetes.io/instance" "app.kubernetes.io/component" "pushring/cluster" -}}
{{- $labels := concat $selected (list "app.kubernetes.io/version" "app.kubernetes.io/managed-by" "helm.sh/chart") -}}
{{- $annotations := list "pushring/cluster-settings" "checksum/redis-url" "checksum/redis-password" "helm.sh/hook" "helm.sh/hook-delete-policy" -}}
{{- range $extension := list
  (list "commonLabels" .Values.commonLabels $labels)
  (list "commonAnnotations" .Values.commonAnnotations $annotations)
  (list "sessionManager.podLabels" .Values.sessionManager.podLabels $selected)
  (list "sessionManager.podAnnotations" .Values.sessionManager.podAnnotations $annotations)
  (list "sender.podLabels" .Values.sender.podLabels $selected)
  (list "sender.podAnnotations" .Values.sender.podAnnotations $annotations)
  (list "redis.bundled.podLabels" .Values.redis.bundled.podLabels $selected)
  (list "redis.bundled.podAnnotations" .Values.redis.bundled.podAnnotations $annotations)
  (list "tests.podLabels" .Values.tests.podLabels $labels)
  (list "tests.podAnnotations" .Values.tests.podAnnotations $annotations)
  (list "metrics.podMonitor.labels" $metrics.podMonitor.labels $labels)
  (list "metrics.prometheusRule.labels" $metrics.prometheusRule.labels $labels)
  (list "metrics.prometheusRule.alertLabels" $metrics.prometheusRule.alertLabels (list "severity"))
  (list "metrics.grafanaDashboard.labels" $metrics.grafanaDashboard.labels $labels)
-}}
{{- range $key := index $extension 2 -}}
{{- if hasKey (default (dict) (index $extension 1)) $key -}}
{{- $problems = append $problems (printf "%s has %s, which the chart sets itself, and goes by: leave it out" (index $extension 0) $key) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toJson $problems -}}
{{- end -}}

{{- define "pushring.exposureProblems" -}}
{{- $problems := list -}}
{{- $service := .Values.sender.service -}}
{{- if and $service.headless (ne (int64 $service.port) 7410) -}}
{{- $problems = append $problems (printf "sender.service.headless is true and sender.service.port is %d: without an address of its own a Service changes no ports, and Senders listen at 7410. Make it 7410" (int64 $service.port)) -}}
{{- end -}}
{{- $existing := lookup "v1" "Service" .Release.Namespace (printf "%s-sender" (include "pushring.fullname" .)) -}}
{{- if and $existing (ne (eq (get $existing.spec "clusterIP" | default "") "None") $service.headless) -}}
{{- $problems = append $problems (printf "sender.service.headless can't be changed of a Service that is there: kubectl delete service/%s-sender, and upgrade again at once; backends can't reach Senders meanwhile" (include "pushring.fullname" .)) -}}
{{- end -}}
{{- $exposure := .Values.exposure -}}
{{- range $key := list "mode" "previous" -}}
{{- $mode := get $exposure $key -}}
{{- if and (eq $mode "perPod") (not $exposure.perPod.domain) -}}
{{- $problems = append $problems (printf "exposure.%s is perPod and exposure.perPod.domain is empty: set the domain under which each pod has a name" $key) -}}
{{- end -}}
{{- if eq $mode "gateway" -}}
{{- if not $exposure.gateway.domain -}}
{{- $problems = append $problems (printf "exposure.%s is gateway and exposure.gateway.domain is empty: set the domain that the Gateway serves" $key) -}}
{{- end -}}
{{- if not $exposure.gateway.parentRefs -}}
{{- $problems = append $problems (printf "exposure.%s is gateway and exposure.gateway.parentRefs is empty: name the Gateway to attach to" $key) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $perPodBalancers := and (include "pushring.isExposed" (list . "perPod")) (eq $exposure.perPod.type "LoadBalancer") -}}
{{- if and .Values.sessionManager.service.loadBalancerSourceRanges (ne .Values.sessionManager.service.type "LoadBalancer") (not $perPodBalancers) -}}
{{- $problems = append $problems "sessionManager.service.loadBalancerSourceRanges is set and there is no balancer that would go by it: make sessionManager.service.type LoadBalancer, or leave the ranges out" -}}
{{- end -}}
{{- if and $exposure.perPod.loadBalancerSourceRanges (not $perPodBalancers) -}}
{{- $problems = append $problems "exposure.perPod.loadBalancerSourceRanges is set and there is no balancer that would go by it: leave the ranges out, or make exposure.mode perPod with type LoadBalancer" -}}
{{- end -}}
{{- if and (ne $exposure.mode "single") $exposure.single.address -}}
{{- $problems = append $problems (printf "exposure.single.address is set and exposure.mode is %s: leave the address empty, or make the mode single" $exposure.mode) -}}
{{- end -}}
{{- $homing := .Values.sessionManager.config.homingRate -}}
{{- if and (eq $exposure.mode "single") $exposure.single.address $homing -}}
{{- $problems = append $problems "sessionManager.config.homingRate is above 0 and clients reach all pods by exposure.single.address: sessions that are sent home would end up anywhere, and be sent again, for ever. Make it 0, or leave it out, or use another exposure.mode" -}}
{{- end -}}
{{- $metrics := .Values.metrics -}}
{{- $example := "for example [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: monitoring}}}]" -}}
{{- $isAdmitted := include "pushring.admitsMetrics" (list . 7402) -}}
{{- if and (or $metrics.podMonitor.enabled $metrics.prometheusRule.enabled) (not (and $isAdmitted (include "pushring.admitsMetrics" (list . 7412)))) -}}
{{- $problems = append $problems (printf "metrics.podMonitor.enabled or metrics.prometheusRule.enabled is true and networkPolicy.metrics is empty: Prometheus could not reach the pods. Say where it runs, %s" $example) -}}
{{- end -}}
{{- if and .Values.sessionManager.autoscaling.enabled (not $isAdmitted) -}}
{{- $problems = append $problems (printf "sessionManager.autoscaling.enabled is true and networkPolicy.metrics is empty: nobody could read how many sessions pods have, and there would never be more pods. Say where that runs which reads it, %s" $example) -}}
{{- end -}}
{{- toJson $problems -}}
{{- end -}}

{{- define "pushring.scalingProblems" -}}
{{- $problems := list -}}
{{- range $name := list "sessionManager" "sender" -}}
{{- $scaling := (get $.Values $name).autoscaling -}}
{{- if and $scaling.enabled (gt (int64 $scaling.minReplicas) (int64 $scaling.maxReplicas)) -}}
{{- $problems = append $problems (printf "%s.autoscaling.minReplicas (%d) is above maxReplicas (%d): raise the second" $name (int64 $scaling.minReplicas) (int64 $scaling.maxReplicas)) -}}
{{- end -}}
{{- end -}}
{{- $senders := .Values.sender -}}
{{- if and $senders.autoscaling.enabled (not (dig "requests" "cpu" "" (default (dict) $senders.resources))) -}}
{{- $problems = append $problems "sender.autoscaling.enabled is true and sender.resources.requests.cpu is not set: its use is counted as a part of that, so Senders would never be more. Set it" -}}
{{- end -}}
{{- if $senders.autoscaling.enabled -}}
{{- range $senders.extraContainers -}}
{{- if not (dig "resources" "requests" "cpu" "" .) -}}
{{- $problems = append $problems (printf "sender.autoscaling.enabled is true and the container %s of sender.extraContainers requests no cpu: Kubernetes then counts none of the pod's, and Senders would never be more. Set its resources.requests.cpu" (toString .name)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $pods := .Values.sessionManager -}}
{{- if $pods.autoscaling.enabled -}}
{{- $others := sub (int64 $pods.autoscaling.minReplicas) 1 -}}
{{- $deadline := include "pushring.duration" (list . "sessionManager.config.drainDeadline") -}}
{{- /* Four fifths of the deadline are for moving (Docs/kubernetes.md, A pod's end). */}}
{{- $needed := divf (int64 $pods.autoscaling.sessionsPerPod) (mul 400 (max 1 $others)) | ceil | int64 -}}
{{- if and (gt $others 0) (gt $needed (include "pushring.seconds" $deadline | int64)) -}}
{{- $problems = append $problems (printf "sessionManager.autoscaling.sessionsPerPod is %d, which with minReplicas %d take %d s to move when a pod is drained, and config.drainDeadline is %s: what is left then would be ended. Raise the deadline or minReplicas, or lower sessionsPerPod" (int64 $pods.autoscaling.sessionsPerPod) (int64 $pods.autoscaling.minReplicas) $needed $deadline) -}}
{{- end -}}
{{- end -}}
{{- $full := int64 $pods.config.maxSessions -}}
{{- if and $pods.autoscaling.enabled (gt $full 0) (ge (int64 $pods.autoscaling.sessionsPerPod) $full) -}}
{{- $problems = append $problems (printf "sessionManager.autoscaling.sessionsPerPod (%d) is not below config.maxSessions (%d): pods would be full before there are more of them. Lower it, to about two thirds" (int64 $pods.autoscaling.sessionsPerPod) $full) -}}
{{- end -}}
{{- toJson $problems -}}
{{- end -}}
