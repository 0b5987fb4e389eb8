/* What the hub's pages do in the browser: copy a text, show the chosen provider's settings, offer a handler's defaults,
   follow what changes, name the viewer's time zone.
   Without it every page still works. */
"use strict";

(function () {
    // The server shows and understands times in it, from the next page on; the login page is the first.
    const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    if (zone && !document.cookie.split("; ").includes("hub_zone=" + zone)) {
        document.cookie = "hub_zone=" + zone + "; path=/admin/; max-age=31536000; SameSite=Lax"
            + (location.protocol === "https:" ? "; Secure" : "");
    }

    function copy(text) {
        if (navigator.clipboard && window.isSecureContext) {
            return navigator.clipboard.writeText(text);
        }
        // Over plain http the clipboard is closed to scripts; a selection may still be copied.
        const area = document.createElement("textarea");
        area.value = text;
        area.style.position = "fixed";
        area.style.opacity = "0";
        document.body.append(area);
        area.select();
        const done = document.execCommand("copy");
        area.remove();
        return done ? Promise.resolve() : Promise.reject(new Error("not copied"));
    }

    function onCopy(event) {
        const button = event.target.closest("[data-copy]");
        if (!button) {
            return;
        }
        const source = document.getElementById(button.dataset.copy);
        const before = button.dataset.before || button.textContent;
        button.dataset.before = before; // a second click may come while it still says what became of the first
        copy(source.textContent.trim()).then(
            () => { button.textContent = button.dataset.copied; },
            () => { button.textContent = button.dataset.notCopied; }
        ).finally(() => setTimeout(() => { button.textContent = before; }, 1500));
    }

    function showProvider(select) {
        for (const part of document.querySelectorAll("[data-provider-help]")) {
            part.hidden = part.dataset.providerHelp !== select.value;
        }
    }

    function offerDefaults(select) {
        const handlers = JSON.parse(select.dataset.handlers);
        const chosen = handlers[select.value];
        const before = handlers[select.dataset.before] || null;
        select.dataset.before = select.value;
        if (!chosen) {
            return;
        }
        describe(select, chosen);
        const prefix = select.name.slice(0, select.name.length - "handler".length);
        for (const name of ["config", "retry", "timeout_seconds"]) {
            const field = select.form.elements[prefix + name];
            // What somebody has written stays: only what is still as the page, or the handler before, offered it.
            if (field && isUntouched(field, before ? before[name] : undefined)) {
                field.value = asText(chosen[name]);
                field.dataset.offered = field.value;
            }
        }
    }

    function isUntouched(field, offeredBefore) {
        const value = field.value.trim();
        return value === "" || value === field.defaultValue.trim() || value === field.dataset.offered
            || value === asText(offeredBefore);
    }

    function asText(value) {
        return typeof value === "object" ? JSON.stringify(value, null, 2) : String(value);
    }

    function describe(select, handler) {
        if (select.form && select.form.querySelector("[data-config-part]")) {
            return; // the page shows it itself
        }
        const frame = select.parentElement; // it places the arrow of the select, and so has to keep its height
        let note = frame.parentElement.querySelector(".hub-handler-note");
        if (!note) {
            note = document.createElement("p");
            note.className = "hub-handler-note hub-quiet";
            frame.after(note);
        }
        note.textContent = handler.note;
    }

    function onChange(event) {
        const target = event.target;
        if (target.id === "id_provider") {
            showProvider(target);
        } else if (target.matches("select[data-handlers]")) {
            offerDefaults(target);
        }
    }

    // A new row of a folded list is there to be filled in: unfold it, once Alpine has seen it.
    function onRowAdded(event) {
        const title = event.target.querySelector("h3.cursor-pointer");
        if (title) {
            setTimeout(() => title.click(), 50);
        }
        for (const select of event.target.querySelectorAll("select[data-handlers]")) {
            offerDefaults(select);
        }
    }

    // Parts of a page that change while one looks: only what is different is touched, so that nothing flickers, what has
    // the focus keeps it, what was unfolded stays so, a button under the pointer stays, and bars move on from where they
    // are. In a tab that nobody sees nothing is asked for; it catches up when it is seen again.
    const REFRESH_MS = 2000;

    function setAttributes(before, after) {
        for (const { name } of [...before.attributes]) {
            // Who looks has opened it.
            if (!after.hasAttribute(name) && name !== "open") {
                before.removeAttribute(name);
            }
        }
        for (const { name, value } of after.attributes) {
            if (before.getAttribute(name) !== value) {
                before.setAttribute(name, value);
            }
        }
    }

    function keyOf(node) {
        return node.dataset ? node.dataset.key : undefined;
    }

    function isSame(before, after) {
        return before.nodeType === after.nodeType && before.nodeName === after.nodeName && keyOf(before) === keyOf(after);
    }

    function takeChildren(before, after) {
        const wanted = new Set([...after.children].map(keyOf).filter(Boolean));
        const known = new Map();
        for (const child of [...before.children]) {
            if (keyOf(child) && !wanted.has(keyOf(child))) {
                child.remove();
            } else if (keyOf(child)) {
                known.set(keyOf(child), child);
            }
        }
        let at = before.firstChild;
        for (const fresh of [...after.childNodes]) {
            const found = known.get(keyOf(fresh));
            if (found && found !== at) {
                // What stands before it is new, or comes further down: it is put there when its turn comes.
                while (at && at !== found && !keyOf(at)) {
                    const next = at.nextSibling;
                    at.remove();
                    at = next;
                }
                if (at !== found) {
                    before.insertBefore(found, at);
                    at = found;
                }
            }
            if (at && isSame(at, fresh)) {
                take(at, fresh);
                at = at.nextSibling;
            } else {
                before.insertBefore(fresh, at);
            }
        }
        while (at) {
            const next = at.nextSibling;
            at.remove();
            at = next;
        }
    }

    function take(before, after) {
        if (before.nodeType !== Node.ELEMENT_NODE) {
            if (before.nodeValue !== after.nodeValue) {
                before.nodeValue = after.nodeValue;
            }
        } else if (!before.isEqualNode(after)) {
            setAttributes(before, after);
            takeChildren(before, after);
        }
    }

    // The parts that wait to be renewed, each with its timer.
    const waiting = new Map();

    function later(part) {
        waiting.set(part, setTimeout(refresh, Number(part.dataset.refreshSeconds) * 1000 || REFRESH_MS, part));
    }

    function catchUp() {
        if (!document.hidden) {
            for (const [part, timer] of [...waiting]) {
                clearTimeout(timer);
                refresh(part);
            }
        }
    }

    // How often a part was asked for in vain since it last came.
    const missed = new WeakMap();

    // Numbers that stand still look like calm: whoever reads them is told, once it was no hiccup.
    function note(part, isAway) {
        const times = isAway ? (missed.get(part) || 0) + 1 : 0;
        const shown = part.querySelector(":scope > [data-stale]");
        missed.set(part, times);
        if (times > 1 && !shown) {
            const made = document.createElement("p");
            made.className = "hub-note hub-warning hub-above";
            made.dataset.stale = "";
            made.setAttribute("role", "status");
            made.textContent = part.dataset.refreshAway;
            part.prepend(made);
        } else if (!times && shown) {
            shown.remove();
        }
    }

    function refresh(part) {
        if (document.hidden) { // until `catchUp`
            return;
        }
        waiting.delete(part);
        fetch(part.dataset.refresh, { credentials: "same-origin" }).then((answer) => {
            if (!answer.ok || answer.redirected) { // somebody has logged out, or the thing is gone
                throw new Error(String(answer.status));
            }
            return answer.text();
        }).then((text) => {
            const fresh = new DOMParser().parseFromString(text, "text/html");
            for (const after of fresh.querySelectorAll("[data-live]")) {
                const before = part.querySelector('[data-live="' + after.dataset.live + '"]');
                if (before) {
                    take(before, after);
                }
            }
            note(part, false);
            return Boolean(fresh.querySelector("[data-refresh], [data-goes-on]"));
        }).catch(() => {
            note(part, true);
            return true;
        }).then((goesOn) => {
            if (goesOn) {
                later(part);
            }
        });
    }

    // What slides over the page stands elsewhere in its order: who opens it by keys goes there, and back with Escape.
    const SLIDES = { "[data-filters]": "#changelist-filter", "[data-menu]": "#nav-sidebar" };

    function onSlide(event) {
        const chosen = Object.keys(SLIDES).find((name) => event.target.closest(name));
        const part = chosen && document.querySelector(SLIDES[chosen]);
        if (!part) {
            return;
        }
        requestAnimationFrame(() => requestAnimationFrame(() => { // once Alpine has shown it
            const stops = [...part.querySelectorAll("a[href], input:not([type=hidden]), select, textarea, button")];
            const first = stops.find((one) => one.getClientRects().length > 0);
            if (first && event.detail === 0) { // by a key: a pointer is where it wants to be
                first.focus();
                part.addEventListener("keydown", function back(key) {
                    if (key.key === "Escape") {
                        part.removeEventListener("keydown", back);
                        event.target.closest(chosen).focus();
                    }
                });
            }
        }));
    }

    /* The names of columns, which stand beside the cells where a page is narrow, begin with a capital, and that is all. */
    function nameCells() {
        for (const cell of document.querySelectorAll("#result_list [data-label]")) {
            const name = cell.dataset.label;
            cell.dataset.label = name.charAt(0).toUpperCase() + name.slice(1);
        }
    }

    document.addEventListener("click", onCopy);
    document.addEventListener("click", onSlide);
    document.addEventListener("formset:added", onRowAdded);
    document.addEventListener("change", onChange);
    document.addEventListener("visibilitychange", catchUp);
    document.addEventListener("DOMContentLoaded", () => {
        nameCells();
        for (const part of document.querySelectorAll("[data-refresh]")) {
            later(part);
        }
        const provider = document.getElementById("id_provider");
        if (provider) {
            showProvider(provider);
        }
        for (const select of document.querySelectorAll("select[data-handlers]")) {
            select.dataset.before = select.value;
            const chosen = JSON.parse(select.dataset.handlers)[select.value];
            if (chosen) {
                describe(select, chosen);
            }
        }
    });
}());
