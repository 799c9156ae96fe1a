"""Software images are listed as they lie in the folder."""

from pathlib import Path

from tests.api.conftest import World


async def test_the_images_of_the_folder_are_listed_with_their_sizes(
    world: World, tmp_path: Path
) -> None:
    assert (await world.client.get("/v1/images")).json() == {"items": []}
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "x8_2.tar.gz").write_bytes(b"image")
    answer = await world.client.get("/v1/images")
    assert answer.status_code == 200
    assert [(item["name"], item["size"]) for item in answer.json()["items"]] == [("x8_2.tar.gz", 5)]


async def test_who_may_not_read_clusters_may_not_list_images(world: World) -> None:
    assert (await world.anonymous.get("/v1/images")).status_code == 401
