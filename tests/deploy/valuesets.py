"""The sets of values that the chart is rendered with: each feature on and off, every topology, every example."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from tests.deploy.charts import CHART, Values

DIGEST = "sha256:" + "ab" * 32


def merged(*parts: Values) -> Values:
    """Values over values, as helm merges several files."""
    result: dict[str, Any] = {}
    for part in parts:
        for name, value in part.items():
            before = result.get(name)
            result[name] = merged(before, value) if isinstance(before, dict) and isinstance(value, dict) else value
    return result


PLAIN: Values = {"redis": {"host": "redis.data.svc"}}
"""The least that is needed."""

EMBEDDED: Values = {"embedded": {"enabled": True}}

TOPOLOGIES: dict[str, Values] = {
    "host": PLAIN,
    "url": {"redis": {"url": "valkey://redis.data.svc/3"}},
    "url-tls": {"redis": {"url": "rediss://redis.data.svc:6380", "existingSecret": "auth", "username": "worker"}},
    "url-sentinel": {"redis": {"url": "redis+sentinel://s1,s2:26380/main", "existingSecret": "auth"}},
    "url-cluster": {"redis": {"url": "rediss+cluster://n1:7000,n2:7001", "existingSecret": "auth"}},
    "url-secret": {"redis": {"existingSecret": "auth", "urlKey": "url"}},
    "password": {"redis": {"host": "r", "existingSecret": "auth", "passwordKey": "redis-password"}},
    "acl": {"redis": {"host": "r", "existingSecret": "auth", "usernameKey": "user", "passwordKey": "word"}},
    "tls": {
        "redis": {
            "host": "fd00::7",
            "port": 6380,
            "database": 2,
            "tls": {"enabled": True, "existingSecret": "tls", "certKey": "tls.crt", "keyKey": "tls.key"},
        }
    },
    "tls-system": {"redis": {"host": "r", "tls": {"enabled": True, "checkHostname": False}}},
    "sentinel": {
        "redis": {
            "mode": "sentinel",
            "hosts": ["s1", "s2:26380"],
            "existingSecret": "auth",
            "sentinel": {"service": "main", "username": "watcher", "existingSecret": "sentinels"},
        }
    },
    "cluster": {
        "redis": {
            "mode": "cluster",
            "hosts": ["n1:7000", "[fd00::1]:7001"],
            "tls": {"enabled": True, "existingSecret": "tls"},
        }
    },
    "embedded": EMBEDDED,
    "embedded-password": {
        "embedded": {"enabled": True, "persistence": {"enabled": False}},
        "redis": {"existingSecret": "auth"},
    },
    "own-queue": merged(PLAIN, {"queue": {"url": "redis://queue.data.svc:6390/1"}}),
    "secret-queue": merged(PLAIN, {"queue": {"existingSecret": "queue"}, "encryption": {"existingSecret": "keys"}}),
}

MONITORED: Values = {
    "podMonitor": {"enabled": True, "labels": {"release": "prom"}, "namespace": "monitoring"},
    "prometheusRule": {"enabled": True, "labels": {"release": "prom"}, "alertLabels": {"team": "agents"}},
    "dashboards": {"enabled": True, "namespace": "grafana", "annotations": {"grafana_folder": "Agents"}},
}

FEATURES: dict[str, Values] = {
    "off": {
        "serviceAccount": {"create": False},
        "service": {"enabled": False},
        "pdb": {"enabled": False},
        "check": {"enabled": False},
        "tests": {"enabled": False},
        "worker": {"preStopSeconds": 0, "topologySpread": {"enabled": False}},
    },
    "monitored": MONITORED,
    "service-monitor": {
        "serviceMonitor": {
            "enabled": True,
            "interval": "30s",
            "relabelings": [{"sourceLabels": ["__meta_kubernetes_pod_node_name"], "targetLabel": "node"}],
            "metricRelabelings": [{"sourceLabels": ["__name__"], "regex": "python_.*", "action": "drop"}],
        },
        "service": {"type": "NodePort", "labels": {"a": "b"}, "annotations": {"c": "d"}},
    },
    "hpa": {"hpa": {"enabled": True}},
    "hpa-memory-and-more": {
        "hpa": {
            "enabled": True,
            "targetCPUUtilizationPercentage": None,
            "targetMemoryUtilizationPercentage": 75,
            "metrics": [
                {
                    "type": "External",
                    "external": {
                        "metric": {"name": "sessioncache_namespace_overdue_seconds"},
                        "target": {"type": "Value", "value": "60"},
                    },
                }
            ],
        }
    },
    "keda": {"keda": {"enabled": True, "prometheus": {"serverAddress": "http://prometheus.monitoring:9090"}}},
    "keda-more": {
        "namespaces": ["a.b", "c-d"],
        "podMonitor": {"enabled": True},
        "keda": {
            "enabled": True,
            "minReplicas": 1,
            "prometheus": {
                "serverAddress": "https://prometheus.monitoring:9090",
                "authModes": "bearer",
                "authenticationRef": "prometheus-token",
                "threshold": 12.5,
                "metadata": {"unsafeSsl": "false"},
            },
            "fallback": {"failureThreshold": 0, "replicas": 1},
            "behavior": None,
        },
    },
    "pdb-least": {"pdb": {"maxUnavailable": None, "minAvailable": "50%"}},
    "network": {
        "networkPolicy": {
            "enabled": True,
            "redis": {"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]},
            "monitoring": {"namespace": "prom", "podLabels": {"app": "prometheus"}},
            "extraEgress": [{"ports": [{"port": 443, "protocol": "TCP"}]}],
            "extraIngress": [{"from": [{"podSelector": {"matchLabels": {"app": "curl"}}}]}],
        }
    },
    "jobs": {
        "namespaces": ["one", "two"],
        "jobs": {
            "audit": {"enabled": True, "args": ["--debug"]},
            "import": {"enabled": True, "format": "cognee", "sourceSecret": "old-redis", "args": ["--dry-run"]},
        },
    },
    "jobs-scheduled": {
        "jobs": {
            "audit": {"enabled": True, "schedule": "5 4 * * *"},
            "import": {
                "enabled": True,
                "format": "orcs",
                "source": "/store",
                "volume": {"persistentVolumeClaim": {"claimName": "old"}},
            },
        }
    },
    "settings": {
        "worker": {
            "settings": {"examine_limit": 1000000, "gauges_every_s": 7.5, "log_level": "warning", "tick_every_s": 10},
            "gracePeriodSeconds": 90,
            "preStopSeconds": 3,
            "port": 9555,
            "host": "::",
        },
        "cache": {"settings": {"shards": 16, "call_timeout_ms": 20000, "transport": "redis-py"}},
        "service": {"port": 80},
    },
    "everything-of-pods": {
        "commonLabels": {"cost-centre": "42", "app.kubernetes.io/name": "not-this"},
        "commonAnnotations": {"owner": "platform"},
        "image": {"registry": "r.example:5000", "repository": "team/sessioncache", "digest": DIGEST},
        "imagePullSecrets": [{"name": "pull"}],
        "nodeSelector": {"disk": "ssd"},
        "tolerations": [{"key": "agents", "operator": "Exists"}],
        "extraEnv": [
            {"name": "TZ", "value": "UTC"},
            {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
        ],
        "extraEnvFrom": [{"secretRef": {"name": "more"}}],
        "extraVolumes": [{"name": "ca", "configMap": {"name": "ca"}}],
        "extraVolumeMounts": [{"name": "ca", "mountPath": "/etc/ca", "readOnly": True}],
        "serviceAccount": {"name": "own", "annotations": {"a": "b"}},
        "worker": {
            "replicas": 5,
            "podLabels": {"tier": "back"},
            "podAnnotations": {"linkerd.io/inject": "disabled"},
            "annotations": {"reloader.stakater.com/auto": "true"},
            "priorityClassName": "high",
            "nodeSelector": {"pool": "workers"},
            "tolerations": [{"key": "workers", "operator": "Exists", "effect": "NoSchedule"}],
            "affinity": {
                "podAntiAffinity": {
                    "preferredDuringSchedulingIgnoredDuringExecution": [
                        {
                            "weight": 1,
                            "podAffinityTerm": {
                                "topologyKey": "kubernetes.io/hostname",
                                "labelSelector": {"matchLabels": {"app.kubernetes.io/component": "worker"}},
                            },
                        }
                    ]
                }
            },
            "topologySpread": {
                "constraints": [
                    {
                        "topologyKey": "rack",
                        "maxSkew": 2,
                        "whenUnsatisfiable": "DoNotSchedule",
                        "labelSelector": {"matchLabels": {"app.kubernetes.io/component": "worker"}},
                    }
                ]
            },
            "strategy": {"maxUnavailable": "25%", "maxSurge": 0},
        },
    },
    "names": {"nameOverride": "store", "fullnameOverride": "agents-store", "namespaces": ["default", "Other_1.x"]},
    "openshift": {"podSecurityContext": {"runAsUser": None, "runAsGroup": None, "fsGroup": None}},
    "extra-objects": {
        "extraObjects": [
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}-more\ndata:\n  a: b\n",
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": "{{ .Release.Name }}-other"},
                "data": {"c": "d"},
            },
        ]
    },
    "dependency": {"global": {"anything": "of the parent chart"}},
}


def examples() -> dict[str, Values]:
    """The values of every example, those inside of Argo CD's and Flux's objects among them."""
    found = {}
    for path in sorted((CHART / "examples").glob("*.yaml")):
        found[f"example-{path.stem}"] = yaml.safe_load(path.read_text(encoding="utf-8"))
    for path in sorted((CHART / "examples/gitops").glob("*.yaml")):
        found[f"example-{path.stem}"] = gitops_values(path)
    return found


def gitops_values(path: Path) -> Values:
    """The chart's values in an Application or a HelmRelease."""
    for document in yaml.safe_load_all(path.read_text(encoding="utf-8")):
        match document:
            case {"kind": "Application", "spec": {"source": {"helm": {"valuesObject": dict() as values}}}}:
                return values
            case {"kind": "HelmRelease", "spec": {"values": dict() as values}}:
                return values
    raise AssertionError(f"{path} holds no values")


SETS: dict[str, Values] = {
    **TOPOLOGIES,
    **{name: merged(PLAIN, values) for name, values in FEATURES.items()},
    **examples(),
    "embedded-network": merged(EMBEDDED, {"networkPolicy": {"enabled": True}}),
    "sentinel-network": merged(TOPOLOGIES["sentinel"], {"networkPolicy": {"enabled": True}}),
    "everything": merged(
        TOPOLOGIES["tls"],
        MONITORED,
        FEATURES["keda"],
        FEATURES["network"],
        FEATURES["jobs"],
        FEATURES["everything-of-pods"],
    ),
}
"""By name."""
