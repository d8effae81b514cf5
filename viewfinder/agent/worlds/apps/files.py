"""Files: folders with files; rename, delete, move."""

from viewfinder.agent.worlds.app import App, Hint
from viewfinder.agent.worlds.widgets import Widget, button, choice, column, field, item, row, text


class Files(App):
    """Task: delete, rename or move one file of a folder."""

    name, title = "files", "Files"

    def setup(self) -> None:
        folders = self.some(self.words.folders, 3)
        names = self.some([f"{word.lower()}.{end}" for word in self.words.subjects for end in ("txt", "pdf", "png")], 7)
        self.folders = tuple(folders)
        files = {folders[0]: names[:3], folders[1]: names[3:5], folders[2]: names[5:6]}
        self.start = {folder: list(inside) for folder, inside in files.items()}
        self.folder = folders[0]
        self.file = self.pick(files[self.folder])
        self.job = self.pick(["delete", "rename", "move"])
        self.new, self.goal = names[6], self.pick(folders[1:])
        self.task = {
            "delete": f"Delete {self.file} in {self.folder}",
            "rename": f"Rename {self.file} in {self.folder} to {self.new}",
            "move": f"Move {self.file} from {self.folder} to {self.goal}",
        }[self.job]
        self.data = {"folder": "", "file": "", "name": "", "goal": "", "files": files}

    def view(self) -> Widget:
        data = self.data
        if data["file"]:
            menu = row(button("back", "Back"), button("delete", "Delete"), style="menu")
            return column(
                text(data["file"], "title"), menu,
                field("name", "New name", data["name"]), row(button("rename", "Rename")),
                choice("goal", "Folder", data["goal"], self.folders), row(button("move", "Move")),
            )  # fmt: skip
        if data["folder"]:
            items = (item(f"file {name}", name) for name in sorted(data["files"][data["folder"]]))
            return column(text(data["folder"], "title"), row(button("up", "Up"), style="menu"), *items)
        items = (item(f"folder {name}", name, f"{len(data['files'][name])} files") for name in sorted(self.folders))
        return column(text("Files", "title"), *items)

    def press(self, id: str, at: tuple[float, float] | None = None) -> None:
        data = self.data
        if id.startswith("folder "):
            data["folder"] = id[7:]
        elif id.startswith("file "):
            data.update(file=id[5:], name="", goal=data["folder"])
        elif id == "up":
            data["folder"] = ""
        elif id == "back":
            data["file"] = ""
        elif id in ("delete", "rename", "move"):
            self._change(id)

    def _change(self, job: str) -> None:
        data = self.data
        inside, goal = data["files"][data["folder"]], data["folder"]
        name = data["name"] if job == "rename" else data["file"]
        if not name or (job == "move" and data["goal"] == goal):
            return
        inside.remove(data["file"])
        if job != "delete":
            data["files"][data["goal"] if job == "move" else goal].append(name)
        data["file"] = ""

    def hint(self) -> Hint | None:
        data = self.data
        if self.solved():
            return None
        if data["file"]:
            return self._in_file() if data["file"] == self.file else Hint("back", "This is another file, so I go back.")
        if data["folder"] == self.folder:
            return Hint(f"file {self.file}", f"{self.file} is in this folder, so I open it.")
        if data["folder"]:
            return Hint("up", f"The file is in {self.folder}, so I go up.")
        return Hint(f"folder {self.folder}", f"The file is in {self.folder}, so I open that folder.")

    def _in_file(self) -> Hint:
        data = self.data
        if self.job == "rename" and data["name"] != self.new:
            return Hint("name", f"The new name is to be typed, so I type {self.new}.", self.new)
        if self.job == "move" and data["goal"] != self.goal:
            return Hint("goal", f"It is to go to {self.goal}, so I choose that folder.", self.goal)
        return Hint(self.job, f"{self.file} is open and ready, so I {self.job} it.")

    def solved(self) -> bool:
        wanted = {folder: set(inside) for folder, inside in self.start.items()}
        wanted[self.folder].discard(self.file)
        if self.job == "rename":
            wanted[self.folder].add(self.new)
        elif self.job == "move":
            wanted[self.goal].add(self.file)
        return {folder: set(inside) for folder, inside in self.data["files"].items()} == wanted
