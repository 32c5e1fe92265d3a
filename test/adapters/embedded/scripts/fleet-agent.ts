/** An agent that does nothing, in one of several ways (TEST_AGENT). */
const mode = process.env['TEST_AGENT'];
process.on('disconnect', () => process.exit(0));
if (mode === 'dies') {
  throw new Error('no disk to work on');
} else if (mode === 'fatal') {
  process.send?.({ type: 'fatal', code: 'storage_full', message: '/data: no space is left' });
} else if (mode === 'deaf') {
  process.on('SIGTERM', () => undefined);
}
process.stderr.write(`ready ${process.pid}\n`);
