"""A configuration's tree and its clustering page are read anew whenever something was written."""

from transports.document import Node
from transports.mock.configuration import Configuration
from transports.mock.fleet import Fleet
from transports.mock.profile import DeviceProfile


def _twice(node: Node, where: str = "") -> list[str]:
    names = [(child.name, child.index) for child in node.children]
    found = [
        f"{where} {name} {index}" for name, index in set(names) if names.count((name, index)) > 1
    ]
    for child in node.children:
        found += _twice(child, f"{where} {child.name} {child.index}")
    return found


def test_a_tree_holds_every_entry_and_names_each_element_once():
    configuration = Configuration(DeviceProfile())
    for index in (2, 10, 1):
        configuration.put(f"Zones Zone {index} Name", f"zone {index}")
    tree = configuration.tree()
    assert _twice(tree) == []
    entries = configuration.entries()
    assert [tree.get(path) for path, _ in entries] == [value for _, value in entries]
    assert len(list(tree.leaves())) == len(entries)


def test_the_clustering_page_shows_what_was_written_by_whatever_way():
    fleet = Fleet.from_scenario({"expressways": [{"name": "exp1", "address": "192.0.2.11"}]})
    exp1 = fleet["exp1"]
    assert exp1.cluster.saved().name == ""
    exp1.write(["Alternates", "Cluster", "Name"], "cluster1")
    assert exp1.cluster.saved().name == "cluster1"
    kept = exp1.configuration.values()
    exp1.cluster.set_key("a key of some length")
    assert exp1.cluster.saved().key == "a key of some length"
    exp1.configuration.reset(3)
    assert exp1.cluster.saved().name == ""
    exp1.configuration.load(kept)
    assert exp1.cluster.saved().name == "cluster1"
    fresh = Configuration(exp1.profile)
    while fresh.writes < exp1.configuration.writes:
        fresh.put("SystemUnit Name", "exp1")
    exp1.configuration = fresh
    assert exp1.cluster.saved().name == ""
