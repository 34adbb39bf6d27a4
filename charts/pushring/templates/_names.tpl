{{/* The prefix of all names: "push" after `helm install push`, so that pods are push-0, push-1, …; a subchart adds its own name.
     40 characters leave room for what follows in a label, which takes 63. */}}
{{- define "pushring.fullname" -}}
{{- $own := default .Chart.Name .Values.nameOverride -}}
{{- $name := .Release.Name -}}
{{- if .Values.fullnameOverride -}}
{{- $name = .Values.fullnameOverride -}}
{{- else if and (not .Chart.IsRoot) (not (contains $own .Release.Name)) -}}
{{- $name = printf "%s-%s" .Release.Name $own -}}
{{- end -}}
{{- $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "pushring.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "pushring.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "pushring.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* What a selector goes by; never change it, as selectors of workloads can't be changed.
     Arguments: a list of the root context and the component. */}}
{{- define "pushring.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ include "pushring.name" $root | quote }}
app.kubernetes.io/instance: {{ $root.Release.Name | quote }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{/* Pods of one cluster, of whichever release: a cluster may have a release for each zone. */}}
{{- define "pushring.clusterSelector" -}}
matchLabels:
  pushring/cluster: {{ .Values.cluster.name | quote }}
matchExpressions:
  - key: app.kubernetes.io/component
    operator: In
    values: [session-manager, sender]
{{- end -}}

{{/* Of every resource. Arguments: the root context, the component, and more labels, if there are some; these win over common ones. */}}
{{- define "pushring.labels" -}}
{{- $root := index . 0 -}}
{{- $more := dict -}}
{{- if gt (len .) 2 -}}{{- $more = default (dict) (index . 2) -}}{{- end -}}
{{ include "pushring.selector" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" }}
{{- with merge (dict) $more (default (dict) $root.Values.commonLabels) }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Of a workload's pods. Not the chart's version: a new one alone is no reason to replace pods. Arguments: the root context, the
     component, and more labels. */}}
{{- define "pushring.podLabels" -}}
{{- $root := index . 0 -}}
{{ include "pushring.selector" . }}
{{- with merge (dict) (default (dict) (index . 2)) (default (dict) $root.Values.commonLabels) }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* The annotations of a resource, with their key, or nothing. Arguments: a list of the root context and further annotations. */}}
{{- define "pushring.annotations" -}}
{{- $all := merge (dict) (default (dict) (index . 1)) (default (dict) (index . 0).Values.commonAnnotations) -}}
{{- with $all }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* A list of the root context, the image's values, and the tag where there is none. */}}
{{- define "pushring.image" -}}
{{- $image := index . 1 -}}
{{- $name := $image.repository -}}
{{- if $image.registry -}}{{- $name = printf "%s/%s" $image.registry $image.repository -}}{{- end -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $name $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $name (default (index . 2) $image.tag) -}}
{{- end -}}
{{- end -}}
