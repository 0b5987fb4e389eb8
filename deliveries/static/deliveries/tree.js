/* A JSON document as a tree: what is folded is not in the page, so that one of megabytes opens at once.
   Without it the page shows the document as text. */
"use strict";

(function () {
    const CHILDREN = 100; // more are put into ranges, which are nodes themselves
    const OPEN_AT_FIRST = 150; // nodes
    const TEXT = 300; // characters of a value
    const SLICE = 20000; // values looked through before the page gets its turn again
    const MOST_HITS = 1000;

    // -- the document -------------------------------------------------------------------------------------------------
    // A number that the browser would show otherwise than it came: an id of twenty digits.
    class Exact {
        constructor(text) {
            this.text = text;
        }

        toString() {
            return this.text;
        }
    }

    // Before such a number stands this in the parsed document, where it is a string; `valueOf` reads it.
    const MARK = "exact " + Math.random() + Math.random() + " ";
    const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

    // Looked for in slices, for a reviver of JSON.parse would hold the page up for a second at 5 MB.
    // Rejects with SyntaxError for what is no JSON.
    async function parsed(text) {
        const token = /"|-?\d[\d.eE+-]*/g;
        const parts = [];
        let taken = 0;
        let left = SLICE;
        for (let found = token.exec(text); found; found = token.exec(text)) {
            const [written] = found;
            if (written === '"') {
                token.lastIndex = endOfString(text, found.index);
            } else if (String(Number(written)) !== written && NUMBER.test(written)) {
                parts.push(text.slice(taken, found.index), JSON.stringify(MARK + written));
                taken = token.lastIndex;
            }
            left -= 1;
            if (left === 0) {
                left = SLICE;
                await new Promise((goOn) => { setTimeout(goOn); });
            }
        }
        return JSON.parse(parts.length ? parts.join("") + text.slice(taken) : text);
    }

    function endOfString(text, start) {
        for (let end = text.indexOf('"', start + 1); end !== -1; end = text.indexOf('"', end + 1)) {
            let before = end - 1;
            while (text[before] === "\\") {
                before -= 1;
            }
            if ((end - before) % 2) { // it is not escaped
                return end + 1;
            }
        }
        return text.length;
    }

    function valueOf(value) {
        return typeof value === "string" && value.startsWith(MARK) ? new Exact(value.slice(MARK.length)) : value;
    }

    function isContainer(value) {
        return typeof value === "object" && value !== null && !(value instanceof Exact);
    }

    // As filters of routes write it (JMESPath): a.b[0]."c d"
    function below(path, key) {
        if (typeof key === "number") {
            return path + "[" + key + "]";
        }
        const name = /^[A-Za-z_][A-Za-z0-9_]*$/.test(key) ? key : JSON.stringify(key);
        return path === "" ? name : path + "." + name;
    }

    function nodeOf(key, found, path) {
        const value = valueOf(found);
        const node = { key, value, path, range: null, keys: null, item: null };
        if (isContainer(value)) {
            node.keys = Array.isArray(value) ? null : Object.keys(value);
            node.range = [0, node.keys ? node.keys.length : value.length];
        }
        return node;
    }

    function childrenOf(node) {
        const [from, to] = node.range;
        const children = [];
        if (to - from <= CHILDREN) {
            for (let index = from; index < to; index += 1) {
                const key = node.keys ? node.keys[index] : index;
                children.push(nodeOf(key, node.value[key], below(node.path, key)));
            }
            return children;
        }
        let step = CHILDREN;
        while ((to - from) / step > CHILDREN) {
            step *= CHILDREN;
        }
        for (let start = from; start < to; start += step) {
            children.push({ ...node, range: [start, Math.min(start + step, to)], isRange: true, item: null });
        }
        return children;
    }

    // -- the page -----------------------------------------------------------------------------------------------------
    function element(tag, className, text) {
        const made = document.createElement(tag);
        if (className) {
            made.className = className;
        }
        if (text !== undefined) {
            made.textContent = text;
        }
        return made;
    }

    function summary(node) {
        const count = node.keys ? node.keys.length : node.value.length;
        return node.keys ? "{" + count + "}" : "[" + count + "]";
    }

    // A text of the page with its values.
    function filled(text, values) {
        return text.replace(/\{(\w+)\}/g, (_all, name) => values[name]);
    }

    function shownValue(value, cut) {
        const text = value instanceof Exact ? value.text : JSON.stringify(value);
        return text.length > TEXT ? text.slice(0, TEXT) + filled(cut, { count: text.length }) : text;
    }

    function rowOf(node, cut) {
        const row = element("span", "hub-tree-row");
        if (node.isRange) {
            row.append(element("span", "hub-tree-key", node.range[0] + " … " + (node.range[1] - 1)));
            return row;
        }
        if (node.key !== null) {
            row.append(element("span", "hub-tree-key", String(node.key)), ": ");
        }
        if (node.range) {
            row.append(element("span", "hub-tree-sum", summary(node)));
        } else {
            const kind = node.value === null ? "null" : node.value instanceof Exact ? "number" : typeof node.value;
            row.append(element("span", "hub-tree-" + kind, shownValue(node.value, cut)));
        }
        return row;
    }

    class Tree {
        constructor(frame, value) {
            this.root = nodeOf(null, value, "");
            this.nodes = new WeakMap();
            this.path = frame.querySelector("[data-tree-path]");
            this.status = frame.querySelector("[data-tree-status]");
            this.search = frame.querySelector("[data-tree-search]");
            this.place = frame.querySelector("[data-tree-place]");
            this.run = 0;
            this.place.append(this.itemOf(this.root, 1));
            this.select(this.root.item, false);
            this.openTop();
            this.place.addEventListener("click", (event) => this.onClick(event));
            this.place.addEventListener("keydown", (event) => this.onKey(event));
            this.search.addEventListener("input", () => this.lookSoon());
            this.search.addEventListener("keydown", (event) => this.onSearchKey(event));
            frame.querySelector("[data-tree-next]").addEventListener("click", () => this.goOn(1));
            frame.querySelector("[data-tree-before]").addEventListener("click", () => this.goOn(-1));
        }

        itemOf(node, level) {
            const item = element("li");
            item.setAttribute("role", "treeitem");
            item.setAttribute("aria-level", level);
            item.setAttribute("aria-selected", "false");
            item.tabIndex = -1;
            if (node.range && node.range[1] > node.range[0]) {
                item.setAttribute("aria-expanded", "false");
            }
            item.append(rowOf(node, this.place.dataset.cut));
            node.item = item;
            this.nodes.set(item, node);
            return item;
        }

        open(node) {
            const item = node.item;
            if (item.getAttribute("aria-expanded") !== "false") {
                return;
            }
            node.children = childrenOf(node);
            const level = Number(item.getAttribute("aria-level")) + 1;
            const group = element("ul");
            group.setAttribute("role", "group");
            group.append(...node.children.map((child) => this.itemOf(child, level)));
            item.append(group);
            item.setAttribute("aria-expanded", "true");
        }

        close(node) {
            if (node.item.getAttribute("aria-expanded") === "true") {
                node.item.querySelector(":scope > ul").remove();
                node.children = null;
                node.item.setAttribute("aria-expanded", "false");
            }
        }

        // Level by level, as long as it stays a page that one can take in.
        openTop() {
            let count = 1;
            const waiting = [this.root];
            while (waiting.length) {
                const node = waiting.shift();
                const size = node.range ? Math.min(node.range[1] - node.range[0], CHILDREN) : 0;
                if (!size || (count > 1 && count + size > OPEN_AT_FIRST)) {
                    continue;
                }
                this.open(node);
                count += node.children.length;
                waiting.push(...node.children.filter((child) => !child.isRange));
            }
        }

        select(item, focus) {
            if (this.selected) {
                this.selected.setAttribute("aria-selected", "false");
                this.selected.tabIndex = -1;
            }
            this.selected = item;
            item.setAttribute("aria-selected", "true");
            item.tabIndex = 0;
            this.path.textContent = this.nodes.get(item).path || "@";
            if (focus) {
                item.focus({ preventScroll: true });
            }
            item.firstElementChild.scrollIntoView({ block: "nearest" });
        }

        onClick(event) {
            const item = event.target.closest("[role=treeitem]");
            if (!item || !event.target.closest(".hub-tree-row")) {
                return;
            }
            this.toggle(item);
            this.select(item, true);
        }

        toggle(item) {
            const node = this.nodes.get(item);
            if (item.getAttribute("aria-expanded") === "true") {
                this.close(node);
            } else {
                this.open(node);
            }
        }

        onKey(event) {
            if (event.ctrlKey || event.altKey || event.metaKey) {
                return;
            }
            const items = [...this.place.querySelectorAll("[role=treeitem]")];
            const at = items.indexOf(this.selected);
            const isOpen = this.selected.getAttribute("aria-expanded");
            const inner = this.selected.querySelector("[role=treeitem]");
            const outer = this.selected.parentElement.closest("[role=treeitem]");
            let to = null;
            if (event.key === "ArrowDown") {
                to = items[at + 1];
            } else if (event.key === "ArrowUp") {
                to = items[at - 1];
            } else if (event.key === "Home") {
                to = items[0];
            } else if (event.key === "End") {
                to = items[items.length - 1];
            } else if (event.key === "ArrowRight") {
                to = isOpen === "true" ? inner : null;
                this.open(this.nodes.get(this.selected));
            } else if (event.key === "ArrowLeft") {
                to = isOpen === "true" ? null : outer;
                this.close(this.nodes.get(this.selected));
            } else if (event.key === "Enter" || event.key === " ") {
                this.toggle(this.selected);
            } else {
                return;
            }
            event.preventDefault();
            if (to) {
                this.select(to, true);
            }
        }

        // -- searching ------------------------------------------------------------------------------------------------
        lookSoon() {
            clearTimeout(this.timer);
            this.timer = setTimeout(() => this.look(), 200);
        }

        onSearchKey(event) {
            if (event.key === "Enter") {
                event.preventDefault();
                this.goOn(event.shiftKey ? -1 : 1);
            }
        }

        look() {
            this.run += 1;
            this.hits = [];
            this.hit = -1;
            const term = this.search.value.trim().toLowerCase();
            if (term === "") {
                this.status.textContent = "";
                return;
            }
            this.lookOn(this.run, term, [{ value: this.root.value, way: null }]);
        }

        // A way is a linked list of indices, so that values share what they have in common.
        lookOn(run, term, waiting) {
            for (let left = SLICE; left > 0 && waiting.length && this.hits.length < MOST_HITS; left -= 1) {
                const { value, way, key } = waiting.pop();
                const text = isContainer(value) ? "" : String(valueOf(value));
                if ((typeof key === "string" && key.toLowerCase().includes(term)) || text.toLowerCase().includes(term)) {
                    this.hits.push(way);
                }
                if (isContainer(value)) {
                    const keys = Array.isArray(value) ? null : Object.keys(value);
                    for (let index = (keys || value).length - 1; index >= 0; index -= 1) {
                        const name = keys ? keys[index] : index;
                        waiting.push({ value: value[name], key: name, way: { index, before: way } });
                    }
                }
            }
            if (waiting.length && this.hits.length < MOST_HITS) {
                this.status.textContent = this.status.dataset.searching;
                setTimeout(() => { if (run === this.run) { this.lookOn(run, term, waiting); } });
            } else if (this.hits.length) {
                this.goOn(1);
            } else {
                this.status.textContent = this.status.dataset.nothing;
            }
        }

        goOn(by) {
            if (!this.hits || !this.hits.length) {
                return;
            }
            this.hit = (this.hit + by + this.hits.length) % this.hits.length;
            const { hit, hitOfMany } = this.status.dataset;
            const text = this.hits.length === MOST_HITS ? hitOfMany : hit;
            this.status.textContent = filled(text, { at: this.hit + 1, hits: this.hits.length });
            this.reveal(this.hits[this.hit]);
        }

        // What the hit before has opened is folded again: the page does not grow with a search.
        reveal(way) {
            for (const node of this.opened || []) {
                if (node.item.isConnected) {
                    this.close(node);
                }
            }
            this.opened = [];
            const indices = [];
            for (let step = way; step; step = step.before) {
                indices.unshift(step.index);
            }
            let node = this.root;
            for (const index of indices) {
                this.openForHit(node);
                node = this.childAt(node, index);
            }
            this.select(node.item, false);
        }

        childAt(node, index) {
            let from = node;
            for (;;) {
                const next = from.children.find((child) => !child.isRange || index < child.range[1]);
                if (!next.isRange) {
                    return from.children[index - from.range[0]];
                }
                this.openForHit(next);
                from = next;
            }
        }

        openForHit(node) {
            if (node.item.getAttribute("aria-expanded") === "false") {
                this.open(node);
                this.opened.push(node);
            }
        }
    }

    // -- the start ----------------------------------------------------------------------------------------------------
    function show(frame, value) {
        new Tree(frame, value);
        const texts = [...document.querySelectorAll("[data-body-text]")];
        const button = frame.querySelector("[data-tree-raw]");
        const place = frame.querySelector("[data-tree-shown]");
        frame.hidden = false;
        texts.forEach((text) => { text.hidden = true; });
        button.addEventListener("click", () => {
            place.hidden = !place.hidden;
            texts.forEach((text) => { text.hidden = !place.hidden; });
            button.setAttribute("aria-pressed", String(place.hidden));
        });
    }

    function start(frame) {
        if (frame.dataset.tree) {
            fetch(frame.dataset.tree, { credentials: "same-origin" }).then((answer) => {
                if (!answer.ok || answer.redirected) {
                    throw new Error(String(answer.status));
                }
                return answer.text();
            }).then(parsed).then((value) => show(frame, value), () => {}); // the text stays
            return;
        }
        // What was revealed is on this page alone, and nowhere to be fetched from.
        parsed(document.getElementById("body-text").textContent).then((value) => show(frame, value), (error) => {
            if (!(error instanceof SyntaxError)) { // cut, or no JSON: the text stays
                throw error;
            }
        });
    }

    document.addEventListener("DOMContentLoaded", () => {
        document.querySelectorAll("[data-tree]").forEach(start);
    });
}());
