using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Mirror.Node.Consul;

/// <summary>
/// Where the agent is and how to be let in. Holds paths and no secrets, so that it may be shown and handed to the guard. The token is read when a client is made: from the file, or from the
/// environment; so it stands in no list of processes.
/// </summary>
/// <param name="Address">Scheme, host and port: <c>http://127.0.0.1:8500</c>.</param>
/// <param name="TokenFile">One line; null: from the environment variable <see cref="TokenVariable"/>, or none.</param>
/// <param name="Ca">PEM of the authorities that the agent's certificate may come from; null: those of the machine.</param>
/// <param name="Certificate">PEM shown to the agent, with <paramref name="Key"/>; null: none.</param>
public sealed record ConsulAgent(Uri Address, string? TokenFile = null, string? Ca = null, string? Certificate = null, string? Key = null)
{
    /// <summary>The one that Consul's own program reads.</summary>
    public const string TokenVariable = "CONSUL_HTTP_TOKEN";

    private const int LongestToken = 1024;

    /// <returns>Null when there is none.</returns>
    /// <exception cref="ConsulException">The file cannot be read, or holds no token.</exception>
    internal string? ReadToken()
    {
        if (TokenFile is null)
        {
            return Environment.GetEnvironmentVariable(TokenVariable) is { Length: > 0 } given ? Checked(given.Trim(), TokenVariable) : null;
        }

        try
        {
            using var file = File.OpenRead(TokenFile);
            var bytes = new byte[LongestToken + 1];
            var length = file.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
            return Checked(System.Text.Encoding.UTF8.GetString(bytes.AsSpan(0, length)).Trim(), TokenFile);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new ConsulException(ConsulFault.Denied, $"The token for Consul cannot be read: {failure.Message}", failure);
        }
    }

    /// <exception cref="ConsulException">A file cannot be read, or is no certificate or key.</exception>
    internal X509Certificate2Collection? ReadAuthorities() => Ca is null ? null : Read(Ca, () =>
    {
        var authorities = new X509Certificate2Collection();
        authorities.ImportFromPemFile(Ca);
        return authorities.Count > 0 ? authorities : throw new CryptographicException("it holds no certificate");
    });

    /// <exception cref="ConsulException">A file cannot be read, or is no certificate or key.</exception>
    internal X509Certificate2? ReadCertificate() => Certificate is null ? null : Read(Certificate, () => X509Certificate2.CreateFromPemFile(Certificate, Key));

    private static T Read<T>(string path, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or CryptographicException or ArgumentException)
        {
            throw new ConsulException(ConsulFault.Denied, $"{path}, for Consul, cannot be used: {failure.Message}", failure);
        }
    }

    private static string Checked(string token, string from) => token.Length is > 0 and <= LongestToken && token.All(static c => c is > ' ' and <= '~')
        ? token
        : throw new ConsulException(ConsulFault.Denied, $"{from} holds no token for Consul: one line of letters, digits and signs is expected.");
}
