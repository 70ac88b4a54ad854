// The public health check. It does not check the issuer.
import { Public } from '@latchkey/nestjs';
import { Controller, Get } from '@nestjs/common';

@Public()
@Controller()
export class HealthController {
  @Get('health')
  health() {
    return { status: 'ok' };
  }
}
