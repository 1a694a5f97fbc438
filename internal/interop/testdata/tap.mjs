// A few lines of the Test Anything Protocol. All cases run at the same time.
import { inspect } from "node:util";

const cases = [];

export function test(name, run) { cases.push({ name, run }); }

// patience ends a case that would otherwise hang.
const patience = 20000;

export async function finish() {
  const late = new Promise((_, no) => setTimeout(no, patience, new Error("nothing happened for too long")));
  late.catch(() => {}); // each case hears it
  const results = await Promise.all(cases.map(async ({ name, run }) => {
    try {
      await Promise.race([run(), late]);
      return { name };
    } catch (error) {
      return { name, error };
    }
  }));
  let text = "";
  results.forEach(({ name, error }, i) => {
    text += `${error ? "not ok" : "ok"} ${i + 1} - ${name}\n`;
    if (error) text += inspect(error).replace(/^/gm, "# ") + "\n";
  });
  text += `1..${results.length}\n`;
  process.stdout.write(text, () => process.exit(0));
}

// once waits for an event; the promise fails if the object has an error first.
export function once(object, name) {
  return new Promise((yes, no) => {
    object.once(name, (...args) => yes(args));
    if (name !== "error") object.once("error", no);
  });
}
