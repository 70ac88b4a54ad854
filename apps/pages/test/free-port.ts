// Loaded before the programs of pages. A program listens on a free port in place of 3000, and this
// process tells its parent which one it is.
import { flushCompileCache } from 'node:module';
import { type AddressInfo, Server } from 'node:net';

const { listen } = Server.prototype;
Server.prototype.listen = function (this: Server, ...given: unknown[]) {
  const [first, ...others] = given;
  const isOptions = typeof first === 'object' && first !== null && 'port' in first && first.port === 3000;
  if (first !== 3000 && !isOptions) return Reflect.apply(listen, this, given);
  this.once('listening', () => {
    // A process that is stopped by a signal would keep nothing.
    flushCompileCache();
    process.send?.((this.address() as AddressInfo).port);
  });
  return Reflect.apply(listen, this, [isOptions ? { ...first, port: 0 } : 0, ...others]);
} as typeof listen;

// More programs, one after another, in the same process.
process.on('message', (file: string) => void import(file));
process.channel?.unref();
