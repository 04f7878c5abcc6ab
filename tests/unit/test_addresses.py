from __future__ import annotations

import pytest

from pipeline.errors import InvalidInput
from pipeline.urls.addresses import check_url, is_public, shown, traceable


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_the_public_internet_is_public(address):
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.8.8.8",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "100.100.100.200",
        "0.0.0.0",
        "0.1.2.3",
        "192.0.0.192",
        "192.0.2.1",
        "192.88.99.1",
        "198.18.0.1",
        "224.0.0.1",
        "239.255.255.250",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "::ffff:a00:1",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::a00:1",
        "2002:7f00:1::1",
        "2002:a9fe:a9fe::",
        "2001:0:1::1",
        "2001:db8::1",
        "fe80::1",
        "fe80::1%eth0",
        "fc00::1",
        "fd00:ec2::254",
        "fec0::1",
        "ff02::1",
        "0177.0.0.1",
        "127.1",
        "localhost",
        "",
    ],
)
def test_everything_else_is_not(address):
    assert not is_public(address)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "LOCALHOST.",
        "169.254.169.254",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "0x7f.0.0.1",
        "0x7f000001",
        "2130706433",
        "017700000001",
        "127.1",
        "0",
        "127.0.0.1.",
        "10.0.0.1:8080",
        "user:password@10.0.0.1",
    ],
)
def test_what_is_private_by_its_spelling_is_refused_without_resolving(host):
    with pytest.raises(InvalidInput) as caught:
        check_url(f"http://{host}/a.png")

    assert caught.value.code == "private_address"
    assert "--allow-private-urls" in caught.value.message
    assert "password" not in str(caught.value)
    check_url(f"http://{host}/a.png", allow_private=True)


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("ftp://example.com/a.png", "unsupported"),
        ("file:///etc/passwd", "unsupported"),
        ("s3://bucket/key", "unsupported"),
        ("http:///a.png", "bad_url"),
        ("http://exa mple.com/\n", "bad_url"),
        ("http://user:pass/word@host:port/a", "bad_url"),
        ("http://[::1/a", "bad_url"),
        ("http://0177.0.0.1/a", "bad_url"),
    ],
)
def test_what_cannot_be_fetched_is_said_without_secrets(url, code):
    with pytest.raises(InvalidInput) as caught:
        check_url(url)

    assert caught.value.code == code
    assert "pass" not in caught.value.message.replace("passwd", "")


def test_messages_show_no_credentials_and_no_signatures():
    assert shown("https://user:secret@host:8/a/@b.png?sig=1#x") == "https://host:8/a/@b.png"


@pytest.mark.parametrize(
    "url", ["https://example.com/a.png?x=1", "http://8.8.8.8/", "HTTPS://bücher.example/ä.png"]
)
def test_other_urls_are_fine(url):
    assert check_url(url).host


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("photos/a@2x.png", "photos/a@2x.png"),
        ("C:/shop:old/a@b.png", "C:/shop:old/a@b.png"),
        ("C:/a@b.png", "C:/a@b.png"),
        ("//host/share/a:b@c.png", "//host/share/a:b@c.png"),
        ("what?.png#1", "what?.png#1"),
        ("https://host/a/@b.png", "https://host/a/@b.png"),
        ("https://u:PW@host:8/a.png#top", "https://host:8/a.png"),
        ("https:/u:PW@host/a.png", "https:/host/a.png"),
        ("//u:PW@host/a.png", "//host/a.png"),
        ("ftp://u:PW@host/a.png", "ftp://host/a.png"),
        ("https://u:P/W@host/a.png", "https://host/a.png"),
        ("https://u:P?W@host/a.png", "https://host/a.png"),
        ("https://proxy/https://u:PW@host/a.png", "https://proxy/https://host/a.png"),
        ("https://h/i?sku=AB-12345678&w=800&fit=crop", "https://h/i?sku=AB-12345678&w=800&fit=crop"),
        ("https://h/i?path=summer/beach_2024.jpg", "https://h/i?path=summer/beach_2024.jpg"),
        ("https://h/i?id=550e8400-e29b-41d4", "https://h/i?id=550e8400-e29b-41d4"),
        ("https://h/i?", "https://h/i?"),
        ("https://h/i?17", "https://h/i?17"),
        ("https://h/i?url=https://u:PW@k/a.png", "https://h/i?url=[hidden]"),
        ("https://h/i?sv=2022&sig=PW%3D", "https://h/i?sv=2022&sig=[hidden]"),
        ("https://h/i?token=12&Key-Pair-Id=PW", "https://h/i?token=[hidden]&Key-Pair-Id=[hidden]"),
        (
            "https://h/i?X-Amz-Date=20260101&X-Amz-Signature=PW",
            "https://h/i?X-Amz-Date=20260101&X-Amz-Signature=[hidden]",
        ),
        ("https://h/i?s=PW0123456789abcdef", "https://h/i?s=[hidden]"),
        ("https://h/i?PW0123456789abcdef", "https://h/i?[hidden]"),
        ("s3://bucket/a.png", "s3://bucket/a.png"),
        ("data:image/png;base64," + "PW" * 9999, "data:image/png;base64,…"),
        ("s3://KEY:PW@bucket/a.png", "s3://bucket/a.png"),
        ("abfss://box@shop.dfs.core.windows.net/a.png", "abfss://box@shop.dfs.core.windows.net/a.png"),
    ],
)
def test_a_record_says_which_picture_and_lets_nobody_in(name, kept):
    assert traceable(name) == kept
