#!/usr/bin/env node
import process from 'node:process';

// A reader may stop early, as `head` does: the command still ends what it has begun, and its exit
// code is its own.
for (const stream of [process.stdout, process.stderr])
  stream.on('error', (error) => {
    if (error.code !== 'EPIPE') throw error;
  });

try {
  const { run } = await import('../dist/index.js');
  process.exitCode = await run(process.argv.slice(2), process);
} catch (error) {
  // Core refuses a Node that is too old with one sentence.
  if (!String(error).includes('Latchkey needs Node')) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
