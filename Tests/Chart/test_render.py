"""Every file of values in charts/pushring/ci, with each Kubernetes, by both Helms."""

import pytest
import yaml
from chart import helm, schemas
from chart.manifests import environment, find, kinds


@pytest.mark.parametrize("version", (helm.KUBERNETES[0], helm.NEWEST))
@pytest.mark.parametrize("major", helm.MAJORS)
def test_lint_is_strict_and_finds_nothing(major, version):
    for values in helm.value_files():
        helm.helm(major, "lint", "--strict", "--quiet", "--kube-version", version, str(helm.CHART), *helm.flags(values, {}))


@pytest.mark.parametrize("major", helm.MAJORS)
@pytest.mark.parametrize("values", helm.value_files())
def test_kubernetes_takes_what_is_rendered(values, major):
    for version in helm.KUBERNETES:
        documents = helm.template(values, major, version)
        assert {"StatefulSet", "Deployment", "Service"} <= kinds(documents)
        assert schemas.problems(documents, version) == [], f"Kubernetes {version}"


@pytest.mark.parametrize("values", helm.value_files())
def test_both_helms_render_the_same(values):
    without_password = '{"name": "given"}'  # One that is made is another each time.
    for version in (helm.KUBERNETES[0], helm.NEWEST):
        one, other = (
            helm.template(values, major, version, redis__bundled__auth__existingSecret=without_password)
            for major in helm.MAJORS
        )
        assert sorted(map(str, one)) == sorted(map(str, other))


@pytest.mark.parametrize("major", helm.MAJORS)
@pytest.mark.parametrize("values", helm.value_files())
def test_what_may_be_null_is_the_program_s_default_or_empty(values, major):
    text = (helm.CI / f"{values}.yaml").read_text()
    chosen = {name for name, _, _ in helm.values() if in_file(name, yaml.safe_load(text))}
    nulls = {name: "null" for name, _, may_be_null in helm.values() if may_be_null and name != "global" and name not in chosen}
    assert len(nulls) > 50
    documents = helm.template(values, major, **nulls)
    assert schemas.problems(documents, helm.NEWEST) == []
    assert "<nil>" not in str(documents)
    if values == "default":
        variables = environment(find(documents, "StatefulSet", "push")["spec"]["template"]["spec"]["containers"][0])
        given = {"CLUSTER", "LOG_LEVEL", "LOG_FORMAT", "REDIS", "ZONE", "POD_ID", "LISTEN", "PEER_LISTEN", "ADMIN_LISTEN", "ADVERTISE", "PEER_ADVERTISE"}
        assert {name for name in variables if name.startswith("PUSHRING_")} == {f"PUSHRING_{name}" for name in given}
        # The program drains for 20 s unless told.
        assert find(documents, "StatefulSet", "push")["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] == 40


def in_file(name: str, values: dict) -> bool:
    for key in name.split("__"):
        if not isinstance(values, dict) or key not in values:
            return False
        values = values[key]
    return True


def test_a_schema_check_finds_a_field_that_kubernetes_does_not_know():
    """The check itself: it would pass everything if it did not look."""
    workload = find(helm.template("minimal"), "StatefulSet", "push")
    painted = {**workload, "spec": {**workload["spec"], "colour": "red"}}
    assert "'colour' was unexpected" in " ".join(schemas.problems([painted], helm.NEWEST))
    assert schemas.problems([{**workload, "kind": "Unheard"}], helm.NEWEST) != []


def test_every_template_is_rendered_by_some_values():
    used = set()
    for values in helm.value_files():
        text = helm.helm("helm3", "template", helm.RELEASE, str(helm.CHART), *helm.flags(values, {}))
        used |= {line.split("/templates/")[1] for line in text.splitlines() if line.startswith("# Source:")}
    templates = {str(path.relative_to(helm.CHART / "templates")) for path in (helm.CHART / "templates").rglob("*.yaml")}
    assert used == templates
