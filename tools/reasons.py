"""What each reason of a condition or an event means, and what to do about it.

The one rule: a reason is API; one that the code says and this table does not explain stops the generator.
"""

from __future__ import annotations

from collections.abc import Mapping

SERVING: Mapping[str, str] = {
    "Serving": "Every wanted replica serves.",
    "ReplicasServe": "At least one replica serves.",
    "NoReplicaServes": "No replica serves. Ready says why.",
    "Degraded": "Fewer replicas serve than are wanted; the message says what the others wait for.",
    "Starting": "Replicas are being made.",
    "Loading": "Replicas load the model, or wait for the first real inference to be answered.",
    "Loaded": "Every replica has loaded its model.",
    "ScaledToZero": "`replicas` is 0.",
    "Suspended": "`suspend` is set: no replica runs, weights and settings are kept.",
    "RollingOut": "A new revision replaces the one that serves.",
    "NeedsOutage": "No GPU is free for the new revision's first replica, and the last serving replica is not taken "
    "away without consent. Free a GPU, or set `rollout.outage: Allow`.",
    "Paused": "`rollout.paused` holds the next step. Unset it to go on.",
    "ProgressDeadlineExceeded": "Nothing moved for `rollout.progressDeadlineSeconds`; the message repeats what is "
    "waited for. It clears by itself when something moves.",
    "NewTemplate": "The chart's images or defaults have changed. Running pods keep theirs until a new revision.",
    "SpecRefused": "Nothing was looked at, since the spec is refused; `Accepted` says why.",
    "Evacuating": "As many replicas serve as are wanted, and one on a node that goes away is being replaced.",
}
SPEC: Mapping[str, str] = {
    "Accepted": "Every field of the spec is accepted.",
    "InvalidSpec": "A field is wrong: the message names it, what was found and what is allowed. What served goes on "
    "serving.",
    "NotATritonRepository": "The source holds no Triton model repository. Name one that holds MODEL/config.pbtxt or "
    "MODEL/1/.",
    "NoModelVersion": "A model of the repository has no numbered version folder.",
    "NoModelConfig": "A model has neither a config.pbtxt nor files from which one can be made.",
    "ModelNameNeeded": "The repository holds several models: set `model.name`.",
    "ModelNotFound": "`model.name` is no model of the repository.",
    "ProbeInvalid": "`inferfleet-probe.json` of the repository is no inference request.",
    "InputTooLarge": "The model's input is too large to be made up for a proof: put an inferfleet-probe.json into the "
    "repository.",
    "SpecTooLarge": "`template` is too large to be recorded: move long values into ConfigMaps.",
    "DoesNotFit": "The weights do not fit into the memory of any class that the spec allows.",
}
PLACEMENT: Mapping[str, str] = {
    "Scheduled": "Every wanted replica has a node.",
    "NothingToSchedule": "No replica is wanted.",
    "WaitingForScheduler": "A slot is free and the scheduler has not taken it yet.",
    "WeightsFirst": "A node is chosen when the weights are there.",
    "NoGpuClasses": "The chart's `classes` are empty.",
    "NoSuchProduct": "No node carries a GPU of the classes that the spec names, or the class is gone from the chart's "
    "values.",
    "TooFewGpusOnOneNode": "No node has so many GPUs at all. Ask for fewer, or add a larger node.",
    "NodesUnavailable": "Nodes of the class exist and none can be used: cordoned, tainted or not ready.",
    "NoGpuFree": "Every slot is taken; the message counts what is free where.",
    "QuotaExceeded": "A ResourceQuota of the namespace stands in the way.",
    "PodsRefused": "The API server refuses the pods: an admission policy, for example. The message is its answer.",
    "Unschedulable": "The scheduler finds no node; the message is its answer.",
}
WEIGHTS: Mapping[str, str] = {
    "Downloaded": "The weights are on the claim.",
    "InPlace": "The weights are served from the claim that the source names.",
    "InEachPod": "Each pod downloads for itself: no shared storage is set. Serving pods may reach ports 443 and 53.",
    "NotStarted": "The download starts when a replica is wanted and a node can hold it.",
    "Downloading": "The download runs, or is about to.",
    "DownloadFailed": "The download's pod ended without saying why.",
    "HubUnauthorized": "The hub refuses the token, or asks for one: check the Secret that `model.secretRef` names.",
    "LicenceNotAccepted": "The account has not accepted the model's licence: do so on the hub's page of the model.",
    "SourceNotFound": "The hub has no such repository, for this account.",
    "RevisionNotFound": "The repository has no such branch, tag or commit.",
    "FileNotFound": "A folder or file of the source is not there.",
    "SourceEmpty": "The source holds no file.",
    "SourceInvalid": "The source is no address that is understood.",
    "SourceUnusable": "The source holds something that cannot be served; the message says what.",
    "PathRefused": "The source lists a file whose name leads out of its folder. Nothing was written for it.",
    "ListingIncomplete": "The hub or mirror tells no size or checksum of a file, so nothing can be proven.",
    "ChecksumMismatch": "What arrived is not what the hub lists. It is fetched anew by itself.",
    "ConnectionLost": "The connection broke again and again. The next attempt goes on where this one ended.",
    "HubUnavailable": "The hub does not answer, or answers with errors: check address, proxy, DNS and egress.",
    "RedirectRefused": "The hub redirects to where a download must not go.",
    "TlsError": "The hub's certificate is not trusted: put the authority's into key `ca.crt` of the Secret.",
    "EndpointInvalid": "The chart's `fetch.hubEndpoint` is no address.",
    "ProxyInvalid": "A proxy in the chart's `fetch.env` is no address.",
    "DiskFull": "The volume is too small; the message says which size is needed.",
    "CacheUnwritable": "The volume cannot be written to, or knows no file locks.",
    "CacheLocked": "Another download of the same commit holds the cache for too long.",
    "ClaimUnreadable": "Files of the claim cannot be read by the pods' user, or the folder is not there.",
    "WeightsMissing": "A serving pod did not find the weights: they are downloaded again.",
    "RepositoryNotBuilt": "A serving pod could not build its model repository.",
    "PortUnavailable": "The download's progress port is taken.",
    "Stopped": "The download's pod was stopped: its node was drained, for example. It is started again.",
}
PODS: Mapping[str, str] = {
    "ImagePullFailed": "A node cannot pull an image; the message is its answer.",
    "ContainerCannotStart": "A container cannot be started: a Secret or ConfigMap that it names is missing, for "
    "example.",
    "OutOfMemory": "The server ran out of memory: raise `template.server.resources.limits.memory`.",
    "ModelLoadFailed": "The server cannot load the model; the message holds the telling line of its log.",
    "PreparationFailed": "An init container failed; the message holds the telling line of its log.",
    "ModelDead": "A server answers no inference any more. Its pod is replaced.",
    "NodeAvoided": "Models died on a node again and again. New replicas prefer other nodes for an hour; look "
    "at its GPUs.",
    "ReplicaEnded": "A pod has ended for good. Another takes its place.",
}
OPERATOR: Mapping[str, str] = {
    "NameTaken": "An object of a name that is needed exists and belongs to someone else.",
    "WaitingForCollection": "Children of an earlier model of this name are still being collected.",
    "RecordLost": "A ReplicaSet has lost its record, and the note of it in the ReplicaSet too: delete the ReplicaSet.",
    "ChildRefused": "The API server, or a quota, policy or webhook of this cluster, refuses an object that the model "
    "needs; the message is its answer. What does not need that object goes on.",
    "ClaimCannotGrow": "The StorageClass of the model's claim cannot expand volumes. Set `cache.size` back to the size "
    "that the message names, or use a class with `allowVolumeExpansion`. Everything else goes on.",
    "Forbidden": "The operator lacks a right; the message is the API server's answer. Compare the roles with the page "
    "of permissions: `helm upgrade` writes them as the chart has them.",
    "NamespaceTerminating": "The namespace is being deleted.",
    "Timeout": "Looking at the model took too long. It is tried again.",
    "InternalError": "A fault of inferfleet: the log of the operator or of the download says where. It is tried again.",
}
SECTIONS: Mapping[str, Mapping[str, str]] = {
    "Serving": SERVING,
    "The spec": SPEC,
    "Placement": PLACEMENT,
    "Weights": WEIGHTS,
    "Pods": PODS,
    "The operator": OPERATOR,
}
EXPLAINED: Mapping[str, str] = {reason: text for section in SECTIONS.values() for reason, text in section.items()}
