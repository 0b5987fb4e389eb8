"use strict";

SwaggerUIBundle({
    url: document.getElementById("docs").dataset.schema,
    dom_id: "#docs",
    presets: [SwaggerUIBundle.presets.apis],
    layout: "BaseLayout",
    deepLinking: true,
    docExpansion: "list",
    defaultModelsExpandDepth: 0,
    displayRequestDuration: true,
    tryItOutEnabled: false,
    validatorUrl: null,
    // The scheme's word may be left out when a token is entered.
    requestInterceptor: (request) => {
        const token = request.headers.Authorization;
        if (token && !token.includes(" ")) {
            request.headers.Authorization = `Token ${token}`;
        }
        return request;
    },
});

// As in the admin: what was chosen there (kept by its pages), else what the system prefers.
const chosen = (localStorage.getItem("adminTheme") || "").replaceAll('"', "");
const prefersDark = window.matchMedia("(prefers-color-scheme: dark)");
const applyTheme = () => {
    const dark = chosen === "dark" || (chosen !== "light" && prefersDark.matches);
    document.documentElement.classList.toggle("dark-mode", dark);
};
prefersDark.addEventListener("change", applyTheme);
applyTheme();
