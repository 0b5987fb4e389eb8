// The JavaScript libraries' side of the pipe: tests/sdks/peer.py says how it is spoken to.
import { readFileSync } from "node:fs";
import https from "node:https";
import { Readable } from "node:stream";
import { createInterface } from "node:readline";

const write = process.stdout.write.bind(process.stdout);
// What a library prints must not get between the answers.
for (const name of ["log", "info", "debug", "warn"]) console[name] = console.error;

const text = (message) => message.body.toString("utf8");

// True if `check` does not throw; an error with another text than `refusals` is a mistake of the adapter.
async function unlessRefused(refusals, check) {
  try {
    await check();
    return true;
  } catch (error) {
    if (refusals.test(error.message)) return false;
    throw error;
  }
}

const adapters = {
  github: {
    async verify(message) {
      const { verify } = await import("@octokit/webhooks-methods");
      return verify(message.secret, text(message), message.headers["x-hub-signature-256"]);
    },
    async sign(message) {
      const { sign } = await import("@octokit/webhooks-methods");
      return { headers: { "X-Hub-Signature-256": await sign(message.secret, text(message)) } };
    },
  },
  linear: {
    async verify(message) {
      const { LinearWebhookClient } = await import("@linear/sdk/webhooks");
      const client = new LinearWebhookClient(message.secret);
      return unlessRefused(/Invalid webhook signature/, () =>
        client.verify(message.body, message.headers["linear-signature"]),
      );
    },
  },
  notion: {
    async verify(message) {
      const { verifyWebhookSignature } = await import("@notionhq/client");
      const signature = message.headers["x-notion-signature"];
      return verifyWebhookSignature({ body: text(message), signature, verificationToken: message.secret });
    },
    async sign(message) {
      const { signWebhookPayload } = await import("@notionhq/client");
      const signature = await signWebhookPayload({ body: text(message), verificationToken: message.secret });
      return { headers: { "X-Notion-Signature": signature } };
    },
  },
  sanity: {
    async verify(message) {
      const { isValidSignature } = await import("@sanity/webhook");
      return isValidSignature(text(message), message.headers["sanity-webhook-signature"], message.secret);
    },
    async sign(message) {
      const { encodeSignatureHeader } = await import("@sanity/webhook");
      const header = await encodeSignatureHeader(text(message), message.now * 1000, message.secret);
      return { headers: { "sanity-webhook-signature": header } };
    },
  },
  contentful: {
    async verify(message) {
      const { verifyRequest } = await import("@contentful/node-apps-toolkit");
      return verifyRequest(message.secret, canonical(message), 30);
    },
    async sign(message) {
      const { signRequest } = await import("@contentful/node-apps-toolkit");
      return { headers: signRequest(message.secret, canonical(message), message.now * 1000) };
    },
  },
  mux: {
    async verify(message) {
      const webhooks = await muxWebhooks();
      return unlessRefused(/No signatures found matching/, () =>
        webhooks.verifySignature(text(message), message.headers, message.secret),
      );
    },
    async sign(message) {
      const webhooks = await muxWebhooks();
      const signature = await webhooks.computeSignature(`${message.now}.${text(message)}`, message.secret);
      return { headers: { "Mux-Signature": `t=${message.now},v1=${signature}` } };
    },
  },
  shopify: {
    async verify(message) {
      await import("@shopify/shopify-api/adapters/node");
      const { ApiVersion, LogSeverity, shopifyApi } = await import("@shopify/shopify-api");
      const shopify = shopifyApi({
        apiKey: "key",
        apiSecretKey: message.secret,
        apiVersion: Object.values(ApiVersion).at(-1),
        hostName: "hub.example.com",
        isEmbeddedApp: false,
        logger: { level: LogSeverity.Error },
      });
      const rawRequest = Object.assign(Readable.from([]), {
        method: message.method,
        url: new URL(message.url).pathname,
        headers: { "x-shopify-shop-domain": "shop.myshopify.com", "x-shopify-api-version": "2026-01", ...message.headers },
      });
      const result = await shopify.webhooks.validate({ rawBody: text(message), rawRequest, rawResponse: {} });
      if (!result.valid && result.reason !== "invalid_hmac") throw new Error(JSON.stringify(result));
      return result.valid;
    },
  },
  clerk: {
    async verify(message) {
      const { verifyWebhook } = await import("@clerk/backend/webhooks");
      const { method, headers, body, secret } = message;
      const request = new Request(message.url, { method, headers, body });
      return unlessRefused(/No matching signature/, () => verifyWebhook(request, { signingSecret: secret }));
    },
  },
  webflow: {
    async verify(message) {
      const { WebflowClient } = await import("webflow-api");
      const { webhooks } = new WebflowClient({ accessToken: "none" });
      return webhooks.verifySignature({ headers: message.headers, body: text(message), secret: message.secret });
    },
  },
  zoom: {
    // Looks at the JSON as it would write it itself: to change a space is not to change it.
    async verify(message) {
      const { AwsLambdaReceiver } = await import("@zoom/rivet/accounts");
      const receiver = new AwsLambdaReceiver({ webhooksSecretToken: message.secret });
      receiver.init({ eventEmitter: { emit: async () => undefined } });
      const handle = await receiver.start();
      const answer = await handle({ body: text(message), headers: message.headers, isBase64Encoded: false }, {});
      if (answer.statusCode !== 200 && !/Failed to verify/.test(answer.body)) throw new Error(answer.body);
      return answer.statusCode === 200;
    },
  },
  aws_sns: {
    // The certificate comes from the secret, below the topic, instead of from the address that the message names.
    async verify(message) {
      const { default: MessageValidator } = await import("sns-validator");
      serveCertificate(message.secret.slice(message.secret.indexOf("\n") + 1));
      return unlessRefused(/signature is invalid/, () => new Promise((resolve, reject) => {
        new MessageValidator().validate(text(message), (error) => (error ? reject(error) : resolve()));
      }));
    },
  },
};

function canonical(message) {
  const address = new URL(message.url);
  return { method: message.method, path: address.pathname + address.search, headers: message.headers, body: text(message) };
}

async function muxWebhooks() {
  const { default: Mux } = await import("@mux/mux-node");
  return new Mux({ tokenId: "id", tokenSecret: "secret" }).webhooks;
}

function serveCertificate(certificate) {
  https.get = (address, respond) => {
    const answer = Readable.from([certificate]);
    respond(Object.assign(answer, { statusCode: 200 }));
    return answer;
  };
}

function version(name) {
  return JSON.parse(readFileSync(new URL(`./node_modules/${name}/package.json`, import.meta.url))).version;
}

async function answer(line) {
  const asked = JSON.parse(line);
  const adapter = adapters[asked.adapter];
  if (asked.op === "list") {
    return { verify: Object.keys(adapters), sign: Object.keys(adapters).filter((key) => adapters[key].sign) };
  }
  if (asked.op === "version") return { version: version(asked.package) };
  if (asked.op === "load") {
    // An adapter begins with its imports, which is all that is wanted of it here.
    const nothing = { method: "POST", url: "", headers: {}, body: Buffer.alloc(0), secret: "", settings: {} };
    await Promise.resolve(adapter.verify(nothing)).catch(() => undefined);
    return {};
  }
  const message = { ...asked, body: Buffer.from(asked.body, "base64") };
  if (asked.op === "verify") return { accepted: (await adapter.verify(message)) === true };
  const { headers } = await adapter.sign(message);
  return { headers, body: asked.body, url: asked.url, secret: asked.secret, settings: asked.settings };
}

for await (const line of createInterface({ input: process.stdin })) {
  let answered;
  try {
    answered = await answer(line);
  } catch (error) {
    answered = { failed: String(error.stack ?? error) };
  }
  write(`${JSON.stringify(answered)}\n`);
}
