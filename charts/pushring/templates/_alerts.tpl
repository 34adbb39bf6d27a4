{{/* The alerts, as Docs/operations.md has them. {m} is the selector of this release's series. */}}
{{- define "pushring.alerts" -}}
{{- $limits := .Values.metrics.prometheusRule.thresholds -}}
{{- $lease := divf (include "pushring.milliseconds" (include "pushring.duration" (list . "cluster.lease")) | float64) 3000 -}}
{{- $m := printf "namespace=%q,pod=~%q" .Release.Namespace (printf "%s-([0-9]+|sender-[a-z0-9]+-[a-z0-9]+)" (include "pushring.fullname" .)) -}}
- alert: PushRingSessionsMissed
  expr: sum(increase(pushring_audit_missed_sessions_total{ {{- $m -}} }[15m])) > 0
  for: 0m
  severity: critical
  summary: A pod said that it has all sessions of a user, and had not.
  description: This must never happen. Keep the logs of all pods and Senders of the last hour, and report it as a bug.
- alert: PushRingSessionsLost
  expr: sum(pushring_sessions{ {{- $m -}} }) < (1 - {{ $limits.lostShare }}) * sum(pushring_sessions{ {{- $m -}} } offset 10m) and sum(pushring_sessions{ {{- $m -}} } offset 10m) - sum(pushring_sessions{ {{- $m -}} }) >= {{ int64 $limits.lostSessions }}
  for: 2m
  severity: critical
  summary: Many sessions have gone within ten minutes.
  description: Look whether pods are down (ring inspect), and at pushring_streams_closed_total and pushring_streams_ended_total for the reason.
{{- if ne (include "pushring.maximumReplicas" .Values.sessionManager) "0" }}
- alert: PushRingNoPods
  expr: absent(pushring_sessions{ {{- $m -}} })
  for: 5m
  severity: critical
  summary: No pod has told its metrics for five minutes.
  description: All pods are down, or Prometheus can't reach any. With none left PushRingSessionsLost has nothing to compare.
{{- end }}
{{- if ne (include "pushring.maximumReplicas" .Values.sender) "0" }}
- alert: PushRingNoSenders
  expr: (sum(pushring_pod_links{state="up",{{ $m }}}) or vector(0)) == 0
  for: 5m
  severity: critical
  summary: No Sender has had a connection to a pod for five minutes, so nobody can push.
  description: All Senders are down, or none knows or reaches a pod. Their Deployment, /readyz and logs say why. Or Prometheus can't reach any.
{{- end }}
- alert: PushRingLeaseShort
  expr: min by (pod) (pushring_lease_left_seconds{ {{- $m -}} }) < {{ $lease }}
  for: 1m
  severity: critical
  summary: "{{ "{{ $labels.pod }}" }} renews its lease late."
  description: Redis is slow or out of reach for this pod, or its node is overloaded. A pod without a lease admits nobody, unless no pod reaches Redis.
- alert: PushRingRenewalsFail
  expr: sum by (pod) (rate(pushring_renewals_total{result="failed",{{ $m }}}[5m])) > 0.1
  for: 2m
  severity: warning
  summary: "{{ "{{ $labels.pod }}" }} can't renew its lease."
  description: Its log says why. Nobody is disconnected while all pods agree that Redis is away.
- alert: PushRingViewUnsettled
  expr: min(pushring_view_settled{ {{- $m -}} }) == 0
  for: 2m
  severity: warning
  summary: The view does not settle, so pushes read Redis.
  description: A member has not acknowledged it. ring inspect shows one in grace, if it is that; else look into the pods' logs for a peer that is not reached.
{{- if not (include "pushring.straysAreTheRule" .) }}
- alert: PushRingStrays
  expr: sum(pushring_strays{ {{- $m -}} }) > {{ $limits.strayShare }} * sum(pushring_sessions{ {{- $m -}} })
  for: 30m
  severity: warning
  summary: Many sessions are not on the pods that own them.
  description: Each push to them costs a read of Redis and an RPC more. rebalance plan says why for each.
- alert: PushRingRegistryReads
  expr: sum(rate(pushring_push_registry_reads_total{ {{- $m -}} }[10m])) > {{ $limits.registryReadsPerPush }} * sum(rate(pushring_pushes_total{ {{- $m -}} }[10m]))
  for: 15m
  severity: warning
  summary: Pushes read Redis more often than they should.
  description: By strays, an unsettled view, or Senders that can't follow the view (their /readyz says so).
{{- end }}
- alert: PushRingPushesUnknown
  expr: sum(rate(pushring_pushes_total{completeness="unknown",{{ $m }}}[5m])) > 0.01 * sum(rate(pushring_pushes_total{ {{- $m -}} }[5m]))
  for: 5m
  severity: warning
  summary: Senders can't vouch that pushes reached all sessions.
  description: Redis is away, or pods do not answer. pushring_pod_links and the Senders' logs say which.
- alert: PushRingSlowClients
  expr: sum(rate(pushring_deliveries_total{outcome="slow",{{ $m }}}[10m])) > {{ $limits.slowShare }} * sum(rate(pushring_deliveries_total{ {{- $m -}} }[10m]))
  for: 10m
  severity: warning
  summary: Messages are dropped, because clients read too slowly.
  description: Send less, or raise sessionManager.config.outboundLimit and the pods' memory with it.
- alert: PushRingMovesFail
  expr: sum(rate(pushring_moves_total{result="failed",{{ $m }}}[15m])) > 0.1 * sum(rate(pushring_moves_total{ {{- $m -}} }[15m]))
  for: 15m
  severity: warning
  summary: Clients are asked to move to another pod, and do not.
  description: They may not reach the address that they are told; ring inspect shows it as ENDPOINT.
- alert: PushRingLinksDown
  expr: sum by (pod) (pushring_pod_links{state="down",{{ $m }}}) > 0
  for: 5m
  severity: warning
  summary: "{{ "{{ $labels.pod }}" }} does not reach all pods of the view."
  description: Look at the network between it and them; a pod that has gone leaves the view within the lease and the grace.
- alert: PushRingDescriptorsShort
  expr: sum by (pod) (pushring_streams{ {{- $m -}} }) > 0.9 * sum by (pod) (pushring_descriptor_limit{ {{- $m -}} })
  for: 5m
  severity: warning
  summary: "{{ "{{ $labels.pod }}" }} has nearly as many streams as it may have open files."
  description: It will turn clients away. Raise the container runtime's hard limit of open files (LimitNOFILE), or have more pods.
- alert: PushRingMembershipLost
  expr: sum(increase(pushring_streams_ended_total{reason="membership-lost",{{ $m }}}[10m])) > 0
  for: 0m
  severity: warning
  summary: A pod was cut off for longer than its grace, and ended its streams.
  description: Its clients have been told to go elsewhere. Look at the network between that pod and Redis.
- alert: PushRingCleanUpsDropped
  expr: sum(increase(pushring_clean_ups_dropped_total{ {{- $m -}} }[15m])) > 0
  for: 0m
  severity: warning
  summary: Records of sessions that have ended could not be taken out of Redis.
  description: Redis was away for long. Run ring check, and ring fix if it finds some.
{{- end -}}
