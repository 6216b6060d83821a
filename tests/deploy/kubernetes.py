"""kubernetes - the chart and the topics, by helm and against the schemas of what they make.

Schemas come from what each project ships: Kubernetes' OpenAPI description (its references put
in place, since a file per kind may name no other), the CRDs of KEDA, the Prometheus operator
and Strimzi.  Unknown fields are refused everywhere.
"""
import json
import os
import subprocess
import sys
import tempfile

import yaml

import tools

KUBERNETES = "v1.34.4"
KEDA, OPERATOR, STRIMZI = "v2.16.1", "v0.79.2", "0.45.0"
CHART = os.path.join(tools.DEPLOY, "helm", "peakline")
KINDS = ("StatefulSet", "Service", "ServiceAccount", "ConfigMap", "PodDisruptionBudget",
         "NetworkPolicy")
EVERYTHING = """
config:
  kafka: {brokers: "a:9093,b:9093", group: g, topics: {scans: events}}
  redis: {address: "redis:6379", password: "${REDIS_PASSWORD}"}
  http: {token: "${HTTP_TOKEN}"}
secrets:
  - {name: REDIS_PASSWORD, secret: redis, key: password}
  - {name: HTTP_TOKEN, secret: http, key: token}
secretFiles: [{name: kafka, secret: kafka-tls}]
referenceConfigMap: reference
imagePullSecrets: [{name: registry}]
serviceMonitor: {enabled: true, labels: {release: prometheus}}
prometheusRule: {enabled: true}
scaling: {enabled: true, authentication: kafka}
networkPolicy:
  from: [{namespaceSelector: {matchLabels: {name: monitoring}}}]
  kafka: {to: [{ipBlock: {cidr: 10.0.0.0/8}}]}
nodeSelector: {disk: fast}
tolerations: [{key: a, operator: Exists}]
podLabels: {team: parcels}
podAnnotations: {note: x}
"""
# A value that is wrong, and what the refusal must name.
REFUSED = {
    "replicas: 0": "replicas",
    "replcas: 3": "replcas",
    "config: {kafka: {brokers: kafka}}": "brokers",
    "config: {kafka: {instance: a}}": "instance",
    "config: {redis: {password: hunter2}}": "password",
    "scaling: {maxReplicas: 0}": "maxReplicas",
    "image: {pullPolicy: Sometimes}": "pullPolicy",
    "terminationGracePeriodSeconds: 5": "terminationGracePeriodSeconds",
    "secrets: [{name: a-b, secret: s, key: k}]": "name",
    "resources: {limits: null}": "limits",
    "networkPolicy: {kafka: {ports: [99999]}}": "ports",
    "serviceMonitor: {interval: often}": "interval",
}
# What a template could get wrong: (what is there, what it would become).
PLANTED = [
    ("podManagementPolicy: Parallel", "podManagment: Parallel"), ("replicas: 2", "replicas: two"),
    ("readOnlyRootFilesystem: true", "readOnlyRootFilesystem: maybe"), ("policyTypes", "policies"),
    ("maxUnavailable: 1", "maxUnavailable: {}"), ("clusterIP: None", "clusterIP: [None]"),
    ("maxReplicaCount: 12", "maxReplicaCount: a dozen"), ("path: /metrics", "paths: /metrics"),
    ("for: 10m", "for: ten"), ("lagThreshold: \"500000\"", "lagThreshold: 500000"),
]


def closed(schema, definitions, within=()):
    """The schema with its references in place and no room for unknown fields."""
    if isinstance(schema, list):
        return [closed(s, definitions, within) for s in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        return {} if name in within else closed(definitions[name], definitions, (*within, name))
    if schema.get("x-kubernetes-int-or-string") or schema.get("format") == "int-or-string":
        return {"type": ["integer", "string"]}
    out = {k: closed(v, definitions, within) for k, v in schema.items() if k != "description"}
    if isinstance(out.get("properties"), dict) and "additionalProperties" not in out and \
            not out.get("x-kubernetes-preserve-unknown-fields"):
        out["additionalProperties"] = False
    return out


def own_schemas(folder):
    path = tools.module_file("k8s.io/kubernetes", KUBERNETES, "api/openapi-spec/swagger.json")
    with open(path, encoding="utf-8") as file:
        definitions = json.load(file)["definitions"]
    definitions["io.k8s.apimachinery.pkg.util.intstr.IntOrString"] = {"type": ["integer", "string"]}
    definitions["io.k8s.apimachinery.pkg.api.resource.Quantity"] = {"type": ["number", "string"]}
    for schema in list(definitions.values()):
        for it in schema.get("x-kubernetes-group-version-kind", []):
            if it["kind"] in KINDS and it["version"] == "v1":
                write(folder, it["kind"], it["group"], "v1", closed(schema, definitions))
    return definitions["io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"], definitions


def write(folder, kind, group, version, schema):
    name = "-".join(filter(None, (kind.lower(), group.split(".")[0], version)))
    with open(os.path.join(folder, name + ".json"), "w", encoding="utf-8") as file:
        json.dump(schema, file)


def custom_schemas(folder, path, meta):
    with open(path, encoding="utf-8") as file:
        crd = yaml.safe_load(file)
    for version in crd["spec"]["versions"]:
        schema = closed(version["schema"]["openAPIV3Schema"], {})
        schema["properties"].update(metadata=meta, apiVersion={"type": "string"},
                                    kind={"type": "string"})
        write(folder, crd["spec"]["names"]["kind"], crd["spec"]["group"], version["name"], schema)


def strimzi():
    """Strimzi's CRD of a topic, which its own generator prints."""
    def make(folder):
        tools.run("mvn", "-q", "-f", os.path.join(tools.ROOT, "tests/deploy/strimzi.xml"),
                  "dependency:copy-dependencies", f"-Dstrimzi.version={STRIMZI}",
                  f"-DoutputDirectory={folder}/lib")
        tools.run("java", "-cp", f"{folder}/lib/*", "io.strimzi.crdgenerator.CrdGenerator",
                  "--yaml", f"io.strimzi.api.kafka.model.topic.KafkaTopic={folder}/topic.yaml")
    return os.path.join(tools.once(f"strimzi-{STRIMZI}", make), "topic.yaml")


def all_schemas(folder):
    meta, definitions = own_schemas(folder)
    meta = closed(meta, definitions)
    custom_schemas(folder, tools.module_file("github.com/kedacore/keda/v2", KEDA,
                                             "config/crd/bases/keda.sh_scaledobjects.yaml"), meta)
    for name in ("servicemonitors", "prometheusrules"):
        custom_schemas(folder, tools.module_file(
            "github.com/prometheus-operator/prometheus-operator", OPERATOR,
            f"example/prometheus-operator-crd/monitoring.coreos.com_{name}.yaml"), meta)
    custom_schemas(folder, strimzi(), meta)


def conform(text):
    """(exit, what was said) of kubeconform on manifests."""
    schemas = tools.once(f"kubernetes-schemas-{KUBERNETES}-{KEDA}-{OPERATOR}-{STRIMZI}",
                         all_schemas)
    done = subprocess.run(
        [tools.program("github.com/yannh/kubeconform/cmd/kubeconform", "v0.6.7"), "-strict",
         "-summary", "-schema-location",
         schemas + "/{{.ResourceKind}}{{.KindSuffix}}.json"],
        input=text, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def render(values, wanted=0):
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(values)
        file.flush()
        return tools.run(helm(), "template", "release", CHART, "-f", file.name,
                         "--kube-version", KUBERNETES, wanted=wanted)


def helm():
    return tools.program("helm.sh/helm/v3/cmd/helm", "v3.16.4")


def good():
    tools.run(helm(), "lint", "--strict", CHART)
    for values, kinds in (("{}", 6), (EVERYTHING, 9)):
        text = render(values)
        status, said = conform(text)
        made = {m["kind"] for m in yaml.safe_load_all(text) if m}
        print(said)
        if status != 0 or len(made) != kinds:
            sys.exit(f"{len(made)} kinds of {kinds}: {sorted(made)}\n{said}")


def bad():
    for values, name in REFUSED.items():
        if name not in render(values, wanted=None):
            sys.exit(f"the refusal of {values} does not name {name}")
    texts = [render("{}"), render(EVERYTHING)]
    for there, wrong in PLANTED:
        hit = [t.replace(there, wrong) for t in texts if there in t]
        if not hit:
            sys.exit(f"no manifest holds {there}")
        if conform(hit[-1])[0] == 0:
            sys.exit(f"{wrong} is taken for right")


def program_agrees():
    """The configuration in the ConfigMap is one that the program takes."""
    for manifest in yaml.safe_load_all(render(EVERYTHING)):
        if manifest and manifest["kind"] == "ConfigMap":
            with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
                file.write(manifest["data"]["peakline.yaml"])
                file.flush()
                said = tools.run(os.path.join(tools.ROOT, "build/peakline"), "check", "--config",
                                 file.name, env={**os.environ, "POD_NAME": "peakline-1",
                                                 "REDIS_PASSWORD": "x", "HTTP_TOKEN": "y"})
            if 'instance: "peakline-1"' not in said:
                sys.exit("the pod's name is not the instance's")


def topics():
    """Strimzi's resources are valid, and are the topics that the program reads and writes."""
    with open(os.path.join(tools.DEPLOY, "kafka", "topics.yaml"), encoding="utf-8") as file:
        text = file.read()
    status, said = conform(text)
    if status != 0 or conform(text.replace("partitions:", "partition:"))[0] == 0:
        sys.exit(f"topics.yaml: {said}, or a wrong one is taken for right")
    told = {t["metadata"]["name"] for t in yaml.safe_load_all(text)}
    said = tools.run(os.path.join(tools.ROOT, "build/peakline"), "check")
    block = yaml.safe_load(said[:said.index("detectors:")])["kafka"]["topics"]
    if told != set(block.values()):
        sys.exit(f"topics.yaml has {sorted(told)}, the program {sorted(block.values())}")


if __name__ == "__main__":
    globals()[sys.argv[1]]()
