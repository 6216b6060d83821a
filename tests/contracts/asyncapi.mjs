// Reads an AsyncAPI document with AsyncAPI's own parser: exit 0 when nothing is wrong with it.
import { createRequire } from "node:module";
const load = createRequire(process.argv[2] + "/");
const { Parser, fromFile } = load("@asyncapi/parser");
const { document, diagnostics } = await fromFile(new Parser(), process.argv[3]).parse();
const wrong = diagnostics.filter((d) => d.severity === 0);
for (const d of wrong) console.log(`${d.path.join(".")}: ${d.message}`);
console.log(`${document ? document.messages().all().length : 0} messages`);
process.exit(document && wrong.length === 0 ? 0 : 1);
