// The command line from source, for tests that need a separate process.
import process from 'node:process';
import { run } from '../src/index.ts';

process.exitCode = await run(process.argv.slice(2), process);
