// Runs a program of WASI preview 1: its module, its directory or nothing, its environment as JSON, its arguments.
import { readFile } from 'node:fs/promises';
import { argv, exit } from 'node:process';
import { WASI } from 'node:wasi';

const [module, directory, variables, ...args] = argv.slice(1);
const preopens = directory === '' ? {} : { '/': directory };
const env = Object.fromEntries(JSON.parse(variables));
const wasi = new WASI({ version: 'preview1', args: [module, ...args], env, preopens, returnOnExit: true });
const { instance } = await WebAssembly.instantiate(await readFile(module), wasi.getImportObject());
exit(wasi.start(instance));
