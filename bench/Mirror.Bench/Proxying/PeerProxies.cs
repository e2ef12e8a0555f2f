using System.Globalization;

namespace Mirror.Bench.Proxying;

/// <summary>A proxy of others, set up as one would for speed: connections to the app are kept, nothing is logged.</summary>
/// <param name="Arguments">Given a folder to write to, the port to listen on, and the app's.</param>
internal sealed record PeerProxies(string Program, Func<string, int, int, IReadOnlyList<string>> Arguments)
{
    public static readonly IReadOnlyList<PeerProxies> All = [new("nginx", Nginx), new("haproxy", HaProxy)];

    private static IReadOnlyList<string> Nginx(string folder, int port, int app)
    {
        var file = Path.Combine(folder, "nginx.conf");
        File.WriteAllText(file, string.Create(CultureInfo.InvariantCulture, $$"""
            daemon off;
            worker_processes auto;
            pid {{folder}}/nginx.pid;
            error_log {{folder}}/nginx.log;
            events { worker_connections 4096; }
            http {
              access_log off;
              keepalive_requests 1000000000;
              client_body_temp_path {{folder}}/nginx-bodies;
              proxy_temp_path {{folder}}/nginx-answers;
              fastcgi_temp_path {{folder}}/nginx-fastcgi;
              uwsgi_temp_path {{folder}}/nginx-uwsgi;
              scgi_temp_path {{folder}}/nginx-scgi;
              upstream app { server 127.0.0.1:{{app}}; keepalive 128; keepalive_requests 1000000000; }
              server {
                listen 127.0.0.1:{{port}};
                location / {
                  proxy_pass http://app;
                  proxy_http_version 1.1;
                  proxy_set_header Connection "";
                  proxy_set_header Host $host;
                  proxy_set_header X-Forwarded-For $remote_addr;
                  proxy_set_header X-Forwarded-Proto $scheme;
                  proxy_set_header X-Forwarded-Host $host;
                }
              }
            }

            """));
        return ["-c", file];
    }

    private static IReadOnlyList<string> HaProxy(string folder, int port, int app)
    {
        var file = Path.Combine(folder, "haproxy.cfg");
        File.WriteAllText(file, string.Create(CultureInfo.InvariantCulture, $"""
            global
              maxconn 4096
            defaults
              mode http
              option http-keep-alive
              http-reuse always
              timeout connect 5s
              timeout client 60s
              timeout server 60s
            frontend front
              bind 127.0.0.1:{port}
              http-request set-header X-Forwarded-For %[src]
              http-request set-header X-Forwarded-Proto http
              http-request set-header X-Forwarded-Host %[req.hdr(Host)]
              default_backend app
            backend app
              server app 127.0.0.1:{app}

            """));
        return ["-db", "-f", file];
    }
}
