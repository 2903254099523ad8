// A page that was put into a report has left its folder: what it names is in the report's menu, not beside it.
if (location.protocol === "data:" || location.protocol === "blob:" || location.pathname.includes("/data/raw/")) {
  for (const link of document.querySelectorAll("a.file")) {
    const name = document.createElement("span");
    name.textContent = link.textContent;
    name.title = decodeURIComponent(link.getAttribute("href")) + " in the folder of results";
    link.replaceWith(name);
  }
  for (const line of document.querySelectorAll("[data-moved]")) line.textContent = line.dataset.moved;
}
