using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Mirror.Node.Configuration;

namespace Mirror.Proxy.Listening;

/// <summary>
/// The certificates readers see, chosen by the name they ask for. The files are read every few seconds and not watched: what renews them replaces links, directories or files,
/// in any order. A pair is taken over whole or not at all; until it can be used the one before stays.
/// </summary>
internal sealed partial class SiteCertificates : BackgroundService
{
    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(5);
    private readonly IReadOnlyList<CertificateConfig> _files;
    private readonly TimeProvider _time;
    private readonly ILogger<SiteCertificates> _log;
    private readonly Pair?[] _refused;
    private Entry[] _entries;

    /// <exception cref="ConfigException">A pair cannot be used: there is none before it that could stay.</exception>
    public SiteCertificates(MemberConfig member, TimeProvider time, ILogger<SiteCertificates> log)
    {
        _files = member.Front.Certificates;
        _time = time;
        _log = log;
        _refused = new Pair?[_files.Count];
        _entries = new Entry[_files.Count];
        var faults = new List<ConfigFault>();
        for (var i = 0; i < _files.Count; i++)
        {
            try
            {
                _entries[i] = Entry.From(Pair.Read(_files[i]));
            }
            catch (Exception exception) when (IsUnusable(exception))
            {
                faults.Add(new ConfigFault("mirror.yaml", $"proxies.{member.Name}.certificates.{_files[i].Name}", exception.Message, "Give a certificate in PEM form and its key, both readable for this process."));
            }
        }

        if (faults.Count > 0)
        {
            throw new ConfigException(faults);
        }
    }

    /// <summary>For the name a reader asked for; the first one when none has that name, or none was asked for.</summary>
    public SslServerAuthenticationOptions For(string? name)
    {
        var entries = Volatile.Read(ref _entries);
        var entry = name is { Length: > 0 } ? entries.FirstOrDefault(entry => entry.Certificate.MatchesHostname(name, allowCommonName: false)) : null;

        // Made anew for each connection, because the server adds its protocols to them; what is dear lies in the context.
        return new SslServerAuthenticationOptions { ServerCertificateContext = (entry ?? entries[0]).Context, EnabledSslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13 };
    }

    /// <summary>Takes over what has changed.</summary>
    public void Look()
    {
        var entries = _entries.ToArray();
        for (var i = 0; i < entries.Length; i++)
        {
            Pair? pair = null;
            try
            {
                pair = Pair.Read(_files[i]);
                if (pair == entries[i].Pair || pair == _refused[i])
                {
                    continue;
                }

                entries[i] = Entry.From(pair);
                _refused[i] = null;
                LogTaken(_files[i].Name, entries[i].Certificate.NotAfter.ToUniversalTime());
            }
            catch (Exception exception) when (IsUnusable(exception))
            {
                // Once for each state of the files.
                pair ??= Pair.Unreadable;
                if (pair != _refused[i])
                {
                    _refused[i] = pair;
                    LogRefused(_files[i].Name, exception.Message, entries[i].Certificate.NotAfter.ToUniversalTime());
                }
            }
        }

        // Connections of before go on with what they have.
        Volatile.Write(ref _entries, entries);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (_files.Count == 0)
        {
            return;
        }

        using var timer = new PeriodicTimer(LookEvery, _time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            Look();
        }
    }

    private static bool IsUnusable(Exception exception) => exception is CryptographicException or IOException or UnauthorizedAccessException or ArgumentException;

    [LoggerMessage(6031, LogLevel.Information, "Certificate {Name}: the new one is in use, valid until {Until:u}")]
    private partial void LogTaken(string name, DateTime until);

    [LoggerMessage(6032, LogLevel.Error, "Certificate {Name}: what lies there now cannot be used ({Reason}); the one before stays, valid until {Until:u}. Mend the files; they are looked at again")]
    private partial void LogRefused(string name, string reason, DateTime until);

    /// <summary>What lies in the two files: a pair is another when its bytes are, whatever links and times say.</summary>
    private sealed record Pair(string Certificate, string Key)
    {
        public static readonly Pair Unreadable = new("", "");

        public static Pair Read(CertificateConfig files) => new(File.ReadAllText(files.Certificate), File.ReadAllText(files.Key));
    }

    private sealed record Entry(Pair Pair, X509Certificate2 Certificate, SslStreamCertificateContext Context)
    {
        /// <exception cref="CryptographicException">No certificate, no key, or not of each other.</exception>
        public static Entry From(Pair pair)
        {
            using var pem = X509Certificate2.CreateFromPem(pair.Certificate, pair.Key);

            // Keys of PEM files are ephemeral, and TLS wants one that has a home.
            var certificate = X509CertificateLoader.LoadPkcs12(pem.Export(X509ContentType.Pkcs12), null);
            var chain = new X509Certificate2Collection();
            chain.ImportFromPem(pair.Certificate);
            chain.RemoveAt(0);
            return new Entry(pair, certificate, SslStreamCertificateContext.Create(certificate, chain, offline: true));
        }
    }
}
