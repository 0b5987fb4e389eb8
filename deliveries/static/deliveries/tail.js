/* The live tail: asks for what is new, shows each thing once, keeps a bounded number of lines. */
"use strict";

(function () {
    const EVERY_MS = 1500;
    const KEPT = 500;
    const KINDS = { received: "info", refused: "danger", succeeded: "success", waiting: "warning", dead: "danger", failed: "danger" };

    function start(part) {
        const texts = JSON.parse(document.getElementById("tail-texts").textContent);
        const at = (name) => part.querySelector("[data-tail-" + name + "]");
        const body = at("body");
        const known = new Set();
        let cursor = "";
        let paused = false;
        let timer = null;
        let round = 0;

        function say(text, kind) {
            const state = at("state");
            if (state.textContent !== text) {
                state.textContent = text;
                state.className = "hub-label hub-" + kind;
            }
        }

        function cell(content, className) {
            const made = document.createElement("td");
            made.append(content);
            if (className) {
                made.className = className;
            }
            return made;
        }

        function row(line) {
            const made = document.createElement("tr");
            const time = document.createElement("time");
            time.dateTime = line.at;
            const moment = new Date(line.at);
            time.title = moment.toISOString().replace("T", " ").replace("Z", " UTC");
            time.textContent = [moment.getHours(), moment.getMinutes(), moment.getSeconds()].map((part) => String(part).padStart(2, "0"))
                .join(":") + "." + String(moment.getMilliseconds()).padStart(3, "0");
            const label = document.createElement("span");
            label.className = "hub-label hub-" + (KINDS[line.status] || "neutral");
            label.textContent = texts.statuses[line.status] || line.status;
            const link = document.createElement("a");
            link.className = "hub-link";
            link.href = line.url;
            link.textContent = line.event_type || texts.no_type;
            made.dataset.status = line.status;
            made.dataset.type = line.event_type.toLowerCase();
            made.append(cell(time), cell(label), cell(line.endpoint), cell(link),
                cell((line.route ? line.route + ": " : "") + line.text, "hub-break"));
            return made;
        }

        function fits(made) {
            const type = at("type").value.trim().toLowerCase();
            const status = at("status").value;
            return (!status || made.dataset.status === status) && (!type || made.dataset.type.includes(type));
        }

        function filter() {
            let shown = 0;
            for (const made of body.children) {
                made.hidden = !fits(made);
                shown += made.hidden ? 0 : 1;
            }
            at("empty").hidden = shown > 0;
        }

        function show(lines) {
            for (const line of lines) {
                if (known.has(line.key)) {
                    continue;
                }
                known.add(line.key);
                body.prepend(row(line));
            }
            while (body.children.length > KEPT) {
                body.lastElementChild.remove();
            }
            // Longer than what the server tells again; sets keep the order in which they were filled.
            for (const key of known) {
                if (known.size <= 4 * KEPT) {
                    break;
                }
                known.delete(key);
            }
            filter();
        }

        function ask() {
            clearTimeout(timer);
            if (paused || document.hidden) {
                timer = setTimeout(ask, EVERY_MS);
                return;
            }
            const mine = round;
            const query = new URLSearchParams({ cursor, endpoint: at("endpoint").value });
            fetch(part.dataset.tail + "?" + query, { credentials: "same-origin" }).then((answer) => {
                if (!answer.ok || answer.redirected) {
                    throw new Error(String(answer.status));
                }
                return answer.json();
            }).then((found) => {
                if (mine !== round) { // another endpoint was chosen meanwhile
                    return;
                }
                cursor = found.cursor;
                show(found.lines);
                say(found.is_cut ? texts.cut : texts.live, found.is_cut ? "warning" : "success");
            }, () => say(texts.away, "warning")).finally(() => {
                if (mine === round) {
                    timer = setTimeout(ask, EVERY_MS);
                }
            });
        }

        at("pause").addEventListener("click", () => {
            paused = !paused;
            at("pause").textContent = paused ? texts.go_on : texts.pause;
            say(paused ? texts.paused : texts.live, paused ? "warning" : "success");
        });
        at("clear").addEventListener("click", () => {
            body.replaceChildren();
            filter();
        });
        at("endpoint").addEventListener("change", () => {
            round += 1;
            cursor = "";
            body.replaceChildren();
            filter();
            ask();
        });
        at("type").addEventListener("input", filter);
        at("status").addEventListener("change", filter);
        ask();
    }

    document.addEventListener("DOMContentLoaded", () => document.querySelectorAll("[data-tail]").forEach(start));
}());
