"""The table itself.

Rule: one line of reasoning per case, said by its name.
"""

from __future__ import annotations

from typing import Any

from e2e.rig.netpol.cases import case, policy

ALL: dict[str, Any] = {}
DB = {"matchLabels": {"role": "db"}}
FRONTEND = {"podSelector": {"matchLabels": {"role": "frontend"}}}
MYPROJECT = {"namespaceSelector": {"matchLabels": {"project": "myproject"}}}
TCP_80 = [{"protocol": "TCP", "port": 80}]

DOCUMENTED = {
    "podSelector": DB,
    "policyTypes": ["Ingress", "Egress"],
    "ingress": [
        {
            "from": [
                {"ipBlock": {"cidr": "172.17.0.0/16", "except": ["172.17.1.0/24"]}},
                MYPROJECT,
                FRONTEND,
            ],
            "ports": [{"protocol": "TCP", "port": 6379}],
        }
    ],
    "egress": [
        {"to": [{"ipBlock": {"cidr": "10.0.0.0/24"}}], "ports": [{"protocol": "TCP", "port": 5978}]},
    ],
}
DENY_INGRESS = {"podSelector": ALL, "policyTypes": ["Ingress"]}
DENY_EGRESS = {"podSelector": ALL, "policyTypes": ["Egress"]}
DENY_BOTH = {"podSelector": ALL, "policyTypes": ["Ingress", "Egress"]}


def _into_db(*rules: dict[str, Any]) -> dict[str, Any]:
    return {"podSelector": DB, "policyTypes": ["Ingress"], "ingress": list(rules)}


def _out_of_db(*rules: dict[str, Any]) -> dict[str, Any]:
    return {"podSelector": DB, "policyTypes": ["Egress"], "egress": list(rules)}


CASES = (
    case("without policies everyone reaches everyone", allowed="web>db far>db guest>db office>db db>partner db>far"),
    case(
        "the documentation's own example",
        DOCUMENTED,
        allowed="web>db:6379 far>db:6379 client>db:6379 twin>db:6379 office>db:6379 db>partner:5978 web>far",
        denied="web>db other>db:6379 guest>db:6379 guests>db:6379 partner>db:6379 db>partner db>web:5978 db>far",
    ),
    case(
        "two selectors in one peer must both hold",
        _into_db({"from": [MYPROJECT | FRONTEND]}),
        allowed="twin>db",
        denied="web>db far>db client>db guest>db",
    ),
    case(
        "two selectors in two peers are either",
        _into_db({"from": [MYPROJECT, FRONTEND]}),
        allowed="twin>db client>db web>db far>db",
        denied="other>db guest>db office>db",
    ),
    case(
        "deny all ingress",
        DENY_INGRESS,
        allowed="db>partner db>guest db>client",
        denied="web>db far>db client>db office>db db>web",
    ),
    case(
        "allow all ingress, beside a policy that denies it",
        DENY_INGRESS,
        {"podSelector": ALL, "policyTypes": ["Ingress"], "ingress": [{}]},
        allowed="web>db far>db client>db office>db guest>far",
    ),
    case(
        "deny all egress",
        DENY_EGRESS,
        allowed="client>db guest>far office>db",
        denied="db>web db>far db>client db>partner web>db:53/UDP far>db",
    ),
    case(
        "allow all egress, beside a policy that denies it",
        DENY_EGRESS,
        {"podSelector": ALL, "policyTypes": ["Egress"], "egress": [{}]},
        allowed="db>web db>far db>client db>partner web>db:53/UDP",
    ),
    case(
        "deny everything",
        DENY_BOTH,
        allowed="client>twin guest>client",
        denied="web>db db>far client>db office>far db>partner db>guest",
    ),
    case(
        "a range of ports",
        _out_of_db({"to": [{"ipBlock": {"cidr": "10.0.0.0/24"}}], "ports": [{"port": 32000, "endPort": 32768}]}),
        allowed="db>partner:32000 db>partner:32768 db>partner:32100",
        denied="db>partner:31999 db>partner:32769 db>partner:32000/UDP db>office:32000",
    ),
    case(
        "namespaces by an expression",
        _into_db({"from": [{"namespaceSelector": {"matchExpressions": [
            {"key": "user", "operator": "In", "values": ["alice", "bob"]}]}}]}),
        allowed="client>db twin>db guest>db",
        denied="web>db far>db office>db",
    ),
    case(
        "a namespace by its name",
        _into_db({"from": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "theirs"}}}]}),
        allowed="guest>db",
        denied="client>db web>db",
    ),
    case(
        "an empty namespace selector means pods of every namespace, and nobody outside",
        _into_db({"from": [{"namespaceSelector": ALL}]}),
        allowed="web>db far>db client>db guest>db",
        denied="office>db partner>db",
    ),
    case(
        "an empty pod selector means the policy's own namespace",
        _into_db({"from": [{"podSelector": ALL}]}),
        allowed="web>db far>db other>db",
        denied="client>db guest>db office>db",
    ),
    case(
        "a selector that finds nobody lets nobody in",
        _into_db({"from": [{"podSelector": {"matchLabels": {"role": "nobody"}}}], "ports": TCP_80}),
        denied="web>db far>db client>db office>db",
    ),
    case("an empty list of rules lets nobody in", _into_db(), denied="web>db far>db client>db office>db"),
    case(
        "a rule with ports and no peers is for everyone",
        _into_db({"from": [], "ports": TCP_80}),
        allowed="web>db far>db client>db guest>db office>db",
        denied="web>db:6379 office>db:6379 web>db:80/UDP",
    ),
    case(
        "DNS and nothing else, as TCP and UDP",
        _out_of_db({"ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]}),
        allowed="db>far:53/UDP db>far:53 db>partner:53/UDP",
        denied="db>far db>far:54/UDP db>partner",
    ),
    case(
        "a protocol without a port is all its ports",
        _into_db({"ports": [{"protocol": "UDP"}]}),
        allowed="web>db:53/UDP far>db:6379/UDP",
        denied="web>db:53 far>db",
    ),
    case(
        "a named port is the receiving pod's own",
        {"podSelector": ALL, "policyTypes": ["Ingress"], "ingress": [{"ports": [{"port": "http"}]}]},
        allowed="client>db:80 client>web:8080 client>far:80",
        denied="client>db:8080 client>web:80 client>other:80 client>other:8080",
    ),
    case(
        "a named port in egress is the other end's",
        _out_of_db({"ports": [{"port": "http"}, {"port": 6379}]}),
        allowed="db>web:8080 db>far:80 db>partner:6379 db>other:6379",
        denied="db>web:80 db>far:8080 db>partner:80 db>other:80",
    ),
    case(
        "exceptions leave the rest of their block",
        _out_of_db({"to": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8", "172.17.1.0/24"]}}]}),
        allowed="db>office",
        denied="db>partner db>guests db>web db>far",
    ),
    case(
        "a block finds pods too",
        _into_db({"from": [{"ipBlock": {"cidr": "10.244.2.0/24"}}]}),
        allowed="far>db other>db twin>db guest>db",
        denied="web>db client>db office>db",
    ),
    case(
        "policies add up",
        _into_db({"from": [FRONTEND], "ports": TCP_80}),
        _into_db({"from": [MYPROJECT], "ports": [{"port": 6379}]}),
        allowed="web>db client>db:6379",
        denied="web>db:6379 client>db",
    ),
    case(
        "both ends must agree",
        DENY_EGRESS,
        policy({"podSelector": {"matchLabels": {"role": "client"}}, "policyTypes": ["Ingress"]}, "theirs"),
        allowed="twin>db",
        denied="db>twin client>guest far>guest",
    ),
    case(
        "a policy of another namespace isolates nobody here",
        policy(DENY_BOTH, "mine"),
        allowed="web>db db>far guest>db",
        denied="web>client client>db twin>db",
    ),
    case(
        "without types a policy isolates ingress only",
        {"podSelector": DB, "ingress": [{"from": [FRONTEND]}]},
        allowed="web>db db>other db>partner",
        denied="other>db",
    ),
    case(
        "without types but with egress rules it isolates both",
        {"podSelector": DB, "egress": [{"to": [FRONTEND]}]},
        allowed="db>web",
        denied="db>other web>db",
    ),
    case(
        "pods by expressions",
        _into_db(
            {"from": [{"podSelector": {"matchExpressions": [
                {"key": "tier", "operator": "Exists"}, {"key": "role", "operator": "NotIn", "values": ["db"]}]}}]},
            {"from": [{"podSelector": {"matchExpressions": [{"key": "tier", "operator": "DoesNotExist"}]}}],
             "ports": [{"port": 53}]},
        ),
        allowed="web>db far>db other>db:53",
        denied="other>db client>db",
    ),
)  # fmt: skip
