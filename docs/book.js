// Pages outside this folder are no part of the book: links to them become their paths in the checkout.
{
    const root = new URL(`./${path_to_root}`, location.href).href;
    for (const link of document.querySelectorAll("main a[href]")) {
        if (link.protocol === location.protocol && !link.href.startsWith(root)) {
            const path = link.getAttribute("href").replace(/^(\.\.\/)+/, "").replace(/\.html(#.*)?$/, ".md");
            const code = document.createElement("code");
            code.textContent = path;
            code.style.display = "inline";
            link.replaceWith(link.textContent, " (", code, ")");
        }
    }
}
